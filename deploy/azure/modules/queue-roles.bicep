metadata description = 'What whoever works the queue of events off may do with it.'

@description('The storage account.')
param accountName string

@description('The name of the queue; its poison queue has the same with -poison behind it.')
param queueName string

@description('The object id of the identity that works it off.')
param principalId string

@description('Whether it may also ask how long the queue is, as the Functions host does.')
param mayRead bool

var processor = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '8a0f0c08-91a1-4084-bc3d-661d67233fed')
var contributor = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '974c5e8b-45b9-4653-ba55-5f855dd0fb88')
var reader = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '19e7f393-937e-4f77-808e-94535e297925')

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' existing = {
  name: '${accountName}/default/${queueName}'
}

resource poison 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' existing = {
  name: '${accountName}/default/${queueName}-poison'
}

resource processes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(queue.id, principalId, processor)
  scope: queue
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: processor
    description: 'Storage Queue Data Message Processor: receives, hides and deletes events'
  }
}

resource putsAside 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(poison.id, principalId, contributor)
  scope: poison
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: contributor
    description: 'Storage Queue Data Contributor: puts aside what nobody can use'
  }
}

resource reads 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (mayRead) {
  name: guid(queue.id, principalId, reader)
  scope: queue
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: reader
    description: 'Storage Queue Data Reader: sees how long the queue is'
  }
}
