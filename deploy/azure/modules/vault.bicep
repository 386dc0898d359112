metadata description = 'One vault, in its own resource group: the role of rekeyd, and the topic of its events.'

@description('Name of an existing vault that uses Azure roles, not access policies.')
@minLength(3)
@maxLength(24)
param vaultName string

@description('Object id of the identity that rotates its secrets.')
param principalId string

@description('custom: a role with only the four data actions that rekeyd uses. secretsOfficer: the built-in role, which may also delete, purge, back up and restore.')
@allowed([
  'custom'
  'secretsOfficer'
])
param role string

@description('Name of the system topic. A vault has at most one: if it exists, use its name.')
param topicName string

@description('Tags of the system topic.')
param tags object

var officer = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7')
var isCustom = role == 'custom'

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName
}

// One role per vault: names of roles must be unique in the tenant, and names of vaults are.
resource rotates 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (isCustom) {
  name: guid(vault.id, 'rekeyd')
  properties: {
    roleName: 'rekeyd on ${vaultName}'
    description: 'Read, list and write secrets and update their tags. Delete nothing.'
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

// A separate module, because a location read from the vault can only be passed on as a parameter.
module topic 'vault-topic.bicep' = {
  name: 'rekeyd-topic-${vaultName}'
  params: {
    name: topicName
    location: vault.location
    vaultId: vault.id
    tags: tags
  }
}

@description('Name of the system topic.')
output topicName string = topic.outputs.name

@description('Object id of its identity.')
output topicPrincipalId string = topic.outputs.principalId
