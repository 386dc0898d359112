metadata description = 'Role of the Functions host on the storage account for its locks and keys.'

@description('The storage account.')
param accountName string

@description('Object id of the identity.')
param principalId string

var blobOwner = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b')

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: accountName
}

resource owns 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, principalId, blobOwner)
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: blobOwner
    description: 'Storage Blob Data Owner: locks of timers, function keys'
  }
}
