metadata description = 'The system topic of a vault, with an identity to deliver by.'

@description('Its name.')
@minLength(3)
@maxLength(50)
param name string

@description('Where it is: where the vault is.')
param location string

@description('The resource id of the vault.')
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

@description('Its name.')
output name string = topic.name

@description('The object id of its identity.')
output principalId string = topic.identity.principalId
