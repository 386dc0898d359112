metadata description = 'One vault, in its own resource group: what rekeyd may do there, and the topic of its events.'

@description('The name of the vault. It exists, and goes by Azure roles rather than access policies.')
@minLength(3)
@maxLength(24)
param vaultName string

@description('The object id of the identity that rotates its secrets.')
param principalId string

@description('custom: a role of its own with the four data actions that rekeyd uses; secretsOfficer: the built-in role, which may also delete, purge, back up and restore.')
@allowed([
  'custom'
  'secretsOfficer'
])
param role string

@description('The name of the system topic. A vault has one at most: name the one that there is.')
param topicName string

@description('Tags of the system topic.')
param tags object

var officer = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7')
var isCustom = role == 'custom'

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName
}

// One a vault: the name of a role is unique in the tenant, as is that of a vault.
resource rotates 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (isCustom) {
  name: guid(vault.id, 'rekeyd')
  properties: {
    roleName: 'rekeyd on ${vaultName}'
    description: 'Reads, lists and writes secrets and changes their tags. Deletes nothing.'
    type: 'CustomRole'
    assignableScopes: [
      resourceGroup().id
    ]
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: [
          'Microsoft.KeyVault/vaults/secrets/getSecret/action'
          'Microsoft.KeyVault/vaults/secrets/readMetadata/action'
          'Microsoft.KeyVault/vaults/secrets/setSecret/action'
          'Microsoft.KeyVault/vaults/secrets/update/action'
        ]
        notDataActions: []
      }
    ]
  }
}

resource mayRotate 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, role)
  scope: vault
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: isCustom ? rotates.id : officer
    description: 'rekeyd rotates secrets of this vault'
  }
}

// A module of its own, because a place that is read from the vault can only be handed on as a parameter.
module topic 'vault-topic.bicep' = {
  name: 'rekeyd-topic-${vaultName}'
  params: {
    name: topicName
    location: vault.location
    vaultId: vault.id
    tags: tags
  }
}

@description('The name of the system topic.')
output topicName string = topic.outputs.name

@description('The object id of its identity.')
output topicPrincipalId string = topic.outputs.principalId
