metadata description = 'Roles of the reader of the event queue.'

@description('The storage account.')
param accountName string

@description('Name of the queue; its poison queue has the suffix -poison.')
param queueName string

@description('Object id of the identity that reads the queue.')
param principalId string

// "Message Processor" is not enough: it may not extend the time for which a message is hidden (Update Message).
var contributor = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '974c5e8b-45b9-4653-ba55-5f855dd0fb88')

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' existing = {
  name: '${accountName}/default/${queueName}'
}

resource poison 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' existing = {
  name: '${accountName}/default/${queueName}-poison'
}

resource processes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(queue.id, principalId, contributor)
  scope: queue
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: contributor
    description: 'Storage Queue Data Contributor: receives, hides and deletes events'
  }
}

resource movesToPoison 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(poison.id, principalId, contributor)
  scope: poison
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: contributor
    description: 'Storage Queue Data Contributor: moves unusable messages to the poison queue'
  }
}
