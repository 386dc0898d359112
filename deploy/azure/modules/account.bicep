metadata description = 'A storage account that takes no keys: only Entra identities that have a role.'

@description('Its name, unique in all of Azure: 3 to 24 lower-case letters and digits.')
@minLength(3)
@maxLength(24)
param name string

@description('Where it is.')
param location string

@description('Tags.')
param tags object

@description('How many copies there are, and where. A lost message is made up for by the next sweep.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
])
param sku string

@description('The only subnet, by resource id, that may reach it; it has the service endpoint Microsoft.Storage. Empty: every network may, with a role.')
param subnetId string

// Event Grid is one of the services that the firewall knows: it delivers by its own identity.
var subnets = empty(subnetId) ? [] : [
  {
    id: subnetId
    action: 'Allow'
  }
]

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  // checkov:skip=CKV_AZURE_35:Denied as soon as subnetId names the subnet to let in. Without a network of its own the daemon comes from an address that changes.
  // checkov:skip=CKV_AZURE_59:As above. No blob is public, keys are not taken, and each identity has a role on one queue or container only.
  // checkov:skip=CKV_AZURE_206:The parameter sku offers copies elsewhere. Nothing is lost with the account: a sweep finds what events told.
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    accessTier: 'Hot'
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: empty(subnetId) ? 'Allow' : 'Deny'
      ipRules: []
      virtualNetworkRules: subnets
    }
    encryption: {
      keySource: 'Microsoft.Storage'
      // A second layer, which can be chosen only when the account is made.
      requireInfrastructureEncryption: true
      services: {
        blob: {
          enabled: true
          keyType: 'Account'
        }
        queue: {
          enabled: true
          keyType: 'Account'
        }
      }
    }
  }
}

@description('Its resource id.')
output id string = account.id

@description('Its name.')
output name string = account.name
