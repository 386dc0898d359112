metadata description = 'rekeyd as the custom handler of a function app: deploy/functions, on a Linux plan that is always there.'

targetScope = 'resourceGroup'

@description('Names everything that is made here, and the identity: lower-case letters, digits and hyphens, a letter first. The address is NAME.azurewebsites.net, so that it has to be unique in all of Azure.')
@minLength(3)
@maxLength(24)
param name string

@description('Where everything is. Vaults may be elsewhere.')
param location string = resourceGroup().location

@description('The vaults that rekeyd.toml names, replicas too. Each an object: name; resourceGroup and subscriptionId, if they are not those of this deployment; topic, the name of its system topic, if it has one.')
@minLength(1)
param vaults array

@description('What rekeyd may do in the vaults. custom: read, list, write and update secrets, by a role that is made for each vault. secretsOfficer: the built-in role, which may delete and purge as well; for those who may not make roles.')
@allowed([
  'custom'
  'secretsOfficer'
])
param vaultRole string = 'custom'

@description('The size of the plan. A plan of one\'s own: there the host lives on identities alone, and the timer is not missed.')
@allowed([
  'B1'
  'B2'
  'P0v3'
  'P1v3'
])
param planSku string = 'B1'

@description('The name of the storage account for the events: 3 to 24 lower-case letters and digits, unique in all of Azure.')
@minLength(3)
@maxLength(24)
param storageAccountName string = 'rekeyd${uniqueString(resourceGroup().id, name)}'

@description('The name of the storage account that the host keeps its locks and keys in: as above.')
@minLength(3)
@maxLength(24)
param hostStorageAccountName string = 'host${uniqueString(resourceGroup().id, name)}'

@description('How many copies of the storage accounts there are, and where.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
])
param storageSku string = 'Standard_LRS'

@description('The queue of events: 3 to 50 lower-case letters, digits and hyphens.')
@minLength(3)
@maxLength(50)
param queueName string = 'rekeyd'

@description('How many days events that could not be delivered are kept: 1 to 365.')
@minValue(1)
@maxValue(365)
param deadLetterDays int = 30

@description('The resource id of a subnet to reach out from: delegated to Microsoft.Web/serverFarms, with the service endpoints Microsoft.Storage and (for vaults with a firewall) Microsoft.KeyVault. The storage accounts then let in this subnet and Event Grid only. Empty: no network of your own.')
param subnetId string = ''

@description('Who may call Rotate, beside needing its key: address ranges such as 203.0.113.0/24. Empty: everybody.')
param callers array = []

@description('How many days logs are kept, the audit trail among them: 30 to 730.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Whom alerts tell: resource ids of action groups. Empty: alerts are only to be seen in the portal.')
param actionGroupIds array = []

@description('How long there may be no sweep before an alert. The timer of deploy/functions runs each hour.')
@allowed([
  'PT3H'
  'PT6H'
  'P1D'
  'P2D'
])
param sweepWindow string = 'PT3H'

@description('How many actions on one secret may fail in an hour before an alert: 0 to 100.')
@minValue(0)
@maxValue(100)
param failuresAnHour int = 3

@description('Tags of everything that is made here.')
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
    // Telemetry is taken from identities only: the connection string then opens nothing.
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

// The host owns all blobs of its account. So it has one of its own, and dead letters are not among them.
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

// Event Grid tries the destination as soon as there is a subscription: its rights come first.
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
  // checkov:skip=CKV_AZURE_225:One instance is all there is to place. If its zone is lost, the next run of the timer makes up for it.
  name: name
  location: location
  tags: tags
  kind: 'linux'
  sku: {
    name: planSku
    // One instance: two would do no harm, but all the work twice.
    capacity: 1
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2023-12-01' = {
  // checkov:skip=CKV_AZURE_222:Packages are uploaded and Rotate is called from outside. The parameter callers says from where, and each call needs a key.
  // checkov:skip=CKV_AZURE_17:Callers of Rotate prove themselves by a function key. Event Grid's events come by the queue.
  // checkov:skip=CKV_AZURE_212:One instance does all the work. What it leaves half done stands in tags, and the next one goes on.
  // checkov:skip=CKV_AZURE_213:The host watches its handler by itself, and passes no request on to the health routes.
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
      // The host's own image: a custom handler names no language.
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
          // The audit trail is in the log: no line of it may be left out as one of many.
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

// Packages are uploaded with an Entra token; the passwords that every app is born with open nothing.
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

@description('The object id of the identity: who owns applications, by deploy/azure/grant --principal.')
output principalId string = identity.properties.principalId

@description('The client id of the identity.')
output clientId string = identity.properties.clientId

@description('The name of the function app.')
output appName string = app.name

@description('Where Rotate is asked: POST, with a function key.')
output rotateUrl string = 'https://${app.properties.defaultHostName}/api/rotate'

@description('The queue of events.')
output queueUrl string = events.outputs.queueUrl

@description('The storage account of the events.')
output storageAccountName string = account.outputs.name

@description('The container for what could not be delivered.')
output deadLetterContainer string = deadLetterContainer

@description('The workspace that the logs are in.')
output workspaceId string = workspace.outputs.id
