metadata description = 'rekeyd as the custom handler of a function app (deploy/functions), on a dedicated Linux plan.'

targetScope = 'resourceGroup'

@description('Name of the app and of the identity, and prefix of the other resources: lower-case letters, digits and hyphens, starting with a letter. The host name is NAME.azurewebsites.net, so it must be unique in all of Azure.')
@minLength(3)
@maxLength(24)
param name string

@description('Location of all resources. Vaults may be elsewhere.')
param location string = resourceGroup().location

@description('All vaults in rekeyd.toml, including those of replicas. Each is an object: name; resourceGroup and subscriptionId, if they differ from those of this deployment; topic, the name of its system topic, if it has one.')
@minLength(1)
param vaults array

@description('Role of rekeyd in the vaults. custom: a role for each vault that may read, list, write and update secrets. secretsOfficer: the built-in role, which may also delete and purge secrets; use it if you are not allowed to create roles.')
@allowed([
  'custom'
  'secretsOfficer'
])
param vaultRole string = 'custom'

@description('Size of the dedicated plan. On a dedicated plan the host needs no storage keys, and the timer never sleeps.')
@allowed([
  'B1'
  'B2'
  'P0v3'
  'P1v3'
])
param planSku string = 'B1'

@description('Name of the storage account for events: 3 to 24 lower-case letters and digits, unique in all of Azure.')
@minLength(3)
@maxLength(24)
param storageAccountName string = 'rekeyd${uniqueString(resourceGroup().id, name)}'

@description('Name of the storage account for locks and keys of the host: 3 to 24 lower-case letters and digits, unique in all of Azure.')
@minLength(3)
@maxLength(24)
param hostStorageAccountName string = 'host${uniqueString(resourceGroup().id, name)}'

@description('Redundancy of the storage accounts.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
])
param storageSku string = 'Standard_LRS'

@description('Name of the event queue: 3 to 50 lower-case letters, digits and hyphens.')
@minLength(3)
@maxLength(50)
param queueName string = 'rekeyd'

@description('Retention of undelivered events in days: 1 to 365.')
@minValue(1)
@maxValue(365)
param deadLetterDays int = 30

@description('Resource id of a subnet for outbound connections: delegated to Microsoft.Web/serverFarms, with the service endpoints Microsoft.Storage and (for vaults with a firewall) Microsoft.KeyVault. The storage accounts then allow only this subnet and Event Grid. Empty: no virtual network.')
param subnetId string = ''

@description('Address ranges that may call Rotate, such as 203.0.113.0/24. Every call needs the function key as well. Empty: any address.')
param callers array = []

@description('Retention of logs, including the audit trail, in days: 30 to 730.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Resource ids of the action groups to notify. Empty: alerts are only visible in the portal.')
param actionGroupIds array = []

@description('Time without a sweep before the alert fires. The timer in deploy/functions runs every hour.')
@allowed([
  'PT3H'
  'PT6H'
  'P1D'
  'P2D'
])
param sweepWindow string = 'PT3H'

@description('Number of failed actions on one secret per hour above which the alert fires: 0 to 100.')
@minValue(0)
@maxValue(100)
param failuresAnHour int = 3

@description('Tags of all resources.')
param tags object = {}

var deadLetterContainer = '${queueName}-dead-letters'
var metricsPublisher = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '3913510d-42f4-4e42-8a64-420c390055eb')

var callerRules = [for (address, i) in callers: {
  name: 'caller-${i}'
  ipAddress: address
  action: 'Allow'
  priority: 100 + i
}]

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

module workspace 'modules/workspace.bicep' = {
  name: '${name}-workspace'
  params: {
    name: '${name}-logs'
    location: location
    tags: tags
    retentionDays: logRetentionDays
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: name
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.outputs.id
    // Telemetry requires an Entra identity; the connection string alone grants no access.
    DisableLocalAuth: true
  }
}

resource mayReport 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, identity.id, metricsPublisher)
  scope: insights
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: metricsPublisher
    description: 'Monitoring Metrics Publisher: the host sends logs'
  }
}

module account 'modules/account.bicep' = {
  name: '${name}-account'
  params: {
    name: storageAccountName
    location: location
    tags: tags
    sku: storageSku
    subnetId: subnetId
  }
}

module events 'modules/event-queue.bicep' = {
  name: '${name}-events'
  params: {
    accountName: account.outputs.name
    queueName: queueName
    deadLetterContainer: deadLetterContainer
    deadLetterDays: deadLetterDays
  }
}

module queueRoles 'modules/queue-roles.bicep' = {
  name: '${name}-queue-roles'
  params: {
    accountName: storageAccountName
    queueName: queueName
    principalId: identity.properties.principalId
  }
  dependsOn: [
    events
  ]
}

// The host owns all blobs in its account, so it gets a separate account, without the dead letters.
module hostAccount 'modules/account.bicep' = {
  name: '${name}-host-account'
  params: {
    name: hostStorageAccountName
    location: location
    tags: tags
    sku: storageSku
    subnetId: subnetId
  }
}

module hostRole 'modules/host-role.bicep' = {
  name: '${name}-host-role'
  params: {
    accountName: hostAccount.outputs.name
    principalId: identity.properties.principalId
  }
}

module vaultAccess 'modules/vault.bicep' = [for vault in vaults: {
  name: '${name}-vault-${vault.name}'
  scope: resourceGroup(vault.?subscriptionId ?? subscription().subscriptionId, vault.?resourceGroup ?? resourceGroup().name)
  params: {
    vaultName: vault.name
    principalId: identity.properties.principalId
    role: vaultRole
    topicName: vault.?topic ?? '${vault.name}-events'
    tags: tags
  }
}]

// Event Grid tests the destination when a subscription is created, so its roles must exist before.
module deliveryRoles 'modules/delivery-roles.bicep' = [for (vault, i) in vaults: {
  name: '${name}-delivery-${vault.name}'
  params: {
    accountName: storageAccountName
    queueName: queueName
    deadLetterContainer: deadLetterContainer
    principalId: vaultAccess[i].outputs.topicPrincipalId
  }
  dependsOn: [
    events
  ]
}]

module subscriptions 'modules/vault-subscription.bicep' = [for (vault, i) in vaults: {
  name: '${name}-subscription-${vault.name}'
  scope: resourceGroup(vault.?subscriptionId ?? subscription().subscriptionId, vault.?resourceGroup ?? resourceGroup().name)
  params: {
    topicName: vaultAccess[i].outputs.topicName
    name: name
    accountId: account.outputs.id
    queueName: queueName
    deadLetterContainer: deadLetterContainer
    actionGroupIds: actionGroupIds
    tags: tags
  }
  dependsOn: [
    deliveryRoles
  ]
}]

resource plan 'Microsoft.Web/serverfarms@2023-12-01' = {
  // checkov:skip=CKV_AZURE_225:There is only one instance. If its zone fails, the next run of the timer makes up for it.
  name: name
  location: location
  tags: tags
  kind: 'linux'
  sku: {
    name: planSku
    // One instance: two are safe, but would do all work twice.
    capacity: 1
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2023-12-01' = {
  // checkov:skip=CKV_AZURE_222:Packages are uploaded and Rotate is called from outside. The parameter callers restricts the addresses, and each call needs a key.
  // checkov:skip=CKV_AZURE_17:Callers of Rotate authenticate with a function key. Events arrive through the queue.
  // checkov:skip=CKV_AZURE_212:One instance does all the work. Its progress is in Key Vault and Entra, and the next instance continues.
  // checkov:skip=CKV_AZURE_213:The host monitors its handler itself, and does not forward requests to the health routes.
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    reserved: true
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    vnetRouteAllEnabled: !empty(subnetId)
    siteConfig: {
      // The host's own image: a custom handler has no language stack.
      linuxFxVersion: ''
      alwaysOn: true
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      remoteDebuggingEnabled: false
      ipSecurityRestrictions: callerRules
      ipSecurityRestrictionsDefaultAction: empty(callers) ? 'Allow' : 'Deny'
      appSettings: [
        {
          name: 'FUNCTIONS_EXTENSION_VERSION'
          value: '~4'
        }
        {
          name: 'FUNCTIONS_WORKER_RUNTIME'
          value: 'custom'
        }
        {
          name: 'WEBSITE_RUN_FROM_PACKAGE'
          value: '1'
        }
        {
          name: 'AzureWebJobsStorage__accountName'
          value: hostAccount.outputs.name
        }
        {
          name: 'AzureWebJobsStorage__credential'
          value: 'managedidentity'
        }
        {
          name: 'AzureWebJobsStorage__clientId'
          value: identity.properties.clientId
        }
        {
          name: 'APPLICATIONINSIGHTS_CONNECTION_STRING'
          value: insights.properties.ConnectionString
        }
        {
          name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
          value: 'ClientId=${identity.properties.clientId};Authorization=AAD'
        }
        {
          // The audit trail is in the log: sampling must not drop any of its lines.
          name: 'AzureFunctionsJobHost__logging__applicationInsights__samplingSettings__isEnabled'
          value: 'false'
        }
        {
          name: 'REKEYD_CONFIG'
          value: 'rekeyd.toml'
        }
        {
          name: 'REKEYD_IDENTITY__CLIENT_ID'
          value: identity.properties.clientId
        }
        {
          name: 'KeyVaultEventsQueue'
          value: queueName
        }
        {
          name: 'RekeydQueue__queueServiceUri'
          value: events.outputs.queueServiceUrl
        }
        {
          name: 'RekeydQueue__credential'
          value: 'managedidentity'
        }
        {
          name: 'RekeydQueue__clientId'
          value: identity.properties.clientId
        }
      ]
    }
  }
  dependsOn: [
    hostRole
    mayReport
    queueRoles
    vaultAccess
  ]
}

// Packages are uploaded with an Entra token; the default publishing passwords are disabled.
resource noPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2023-12-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

resource noFtpPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2023-12-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

module alerts 'modules/alerts.bicep' = {
  name: '${name}-alerts'
  params: {
    name: name
    location: location
    tags: tags
    workspaceId: workspace.outputs.id
    lines: 'AppTraces\n| where AppRoleName =~ "${name}"\n| extend line = parse_json(Message)'
    actionGroupIds: actionGroupIds
    sweepWindow: sweepWindow
    failuresAnHour: failuresAnHour
  }
}

@description('Object id of the identity, for deploy/azure/grant --principal.')
output principalId string = identity.properties.principalId

@description('Client id of the identity.')
output clientId string = identity.properties.clientId

@description('Name of the function app.')
output appName string = app.name

@description('URL of Rotate: POST, with a function key.')
output rotateUrl string = 'https://${app.properties.defaultHostName}/api/rotate'

@description('The event queue.')
output queueUrl string = events.outputs.queueUrl

@description('The storage account for events.')
output storageAccountName string = account.outputs.name

@description('The container for undelivered events.')
output deadLetterContainer string = deadLetterContainer

@description('Resource id of the workspace that holds the logs.')
output workspaceId string = workspace.outputs.id
