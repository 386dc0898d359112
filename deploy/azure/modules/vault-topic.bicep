metadata description = 'The system topic of a vault, with an identity for deliveries.'

@description('Name.')
@minLength(3)
@maxLength(50)
param name string

@description('Location, the same as that of the vault.')
param location string

@description('Resource id of the vault.')
param vaultId string

@description('Tags.')
param tags object

resource topic 'Microsoft.EventGrid/systemTopics@2022-06-15' = {
  name: name
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: vaultId
    topicType: 'Microsoft.KeyVault.Vaults'
  }
}

@description('Name.')
output name string = topic.name

@description('Object id of its identity.')
output principalId string = topic.identity.principalId
