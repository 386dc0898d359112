metadata description = 'A storage account without access keys: only Entra identities with a role have access.'

@description('Name, unique in all of Azure: 3 to 24 lower-case letters and digits.')
@minLength(3)
@maxLength(24)
param name string

@description('Location.')
param location string

@description('Tags.')
param tags object

@description('Redundancy of the account. The next sweep makes up for a lost message.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
])
param sku string

@description('Resource id of the only subnet with access; it must have the service endpoint Microsoft.Storage. Empty: access from any network, with a role.')
param subnetId string

// Event Grid is a trusted service of the firewall: it delivers with its own identity.
var subnets = empty(subnetId) ? [] : [
  {
    id: subnetId
    action: 'Allow'
  }
]

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  // checkov:skip=CKV_AZURE_35:Access is denied by default if subnetId is set. Without a virtual network the address of the daemon changes.
  // checkov:skip=CKV_AZURE_59:As above. No blob is public, keys are disabled, and each identity has a role on one queue or container only.
  // checkov:skip=CKV_AZURE_206:The parameter sku offers geo-redundancy. Nothing is lost with the account: a sweep finds what the events reported.
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
      // A second layer of encryption, which can only be enabled when the account is created.
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

@description('Resource id.')
output id string = account.id

@description('Name.')
output name string = account.name
