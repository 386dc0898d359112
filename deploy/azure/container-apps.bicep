metadata description = 'rekeyd on Azure Container Apps: one daemon that nobody can reach, woken by a queue and by its schedule.'

targetScope = 'resourceGroup'

@description('Names everything that is made here, and the identity: lower-case letters, digits and hyphens, a letter first.')
@minLength(3)
@maxLength(24)
param name string = 'rekeyd'

@description('Where everything is. Vaults may be elsewhere.')
param location string = resourceGroup().location

@description('The image, best by its digest: REGISTRY/rekeyd@sha256:... It runs "rekeyd run" and reads /etc/rekeyd/rekeyd.toml.')
@minLength(3)
param image string

@description('The text of rekeyd.toml, in a parameter file: loadTextContent(\'rekeyd.toml\').')
@secure()
@minLength(1)
param configuration string

@description('The vaults that the configuration names, replicas too. Each an object: name; resourceGroup and subscriptionId, if they are not those of this deployment; topic, the name of its system topic, if it has one.')
@minLength(1)
param vaults array

@description('What rekeyd may do in the vaults. custom: read, list, write and update secrets, by a role that is made for each vault. secretsOfficer: the built-in role, which may delete and purge as well; for those who may not make roles.')
@allowed([
  'custom'
  'secretsOfficer'
])
param vaultRole string = 'custom'

@description('The name of an Azure container registry that the image is pulled from; the identity gets AcrPull on it. Empty: a registry that asks for no sign-in.')
@maxLength(50)
param registryName string = ''

@description('The resource group of that registry, in this subscription.')
param registryResourceGroup string = resourceGroup().name

@description('The name of the storage account for the events: 3 to 24 lower-case letters and digits, unique in all of Azure.')
@minLength(3)
@maxLength(24)
param storageAccountName string = 'rekeyd${uniqueString(resourceGroup().id, name)}'

@description('How many copies of the storage account there are, and where.')
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

@description('The resource id of a subnet to run in: /27 or more, delegated to Microsoft.App/environments, with the service endpoints Microsoft.Storage and (for vaults with a firewall) Microsoft.KeyVault. The storage account then lets in this subnet and Event Grid only. Empty: no network of your own.')
param subnetId string = ''

@description('How many days logs are kept, the audit trail among them: 30 to 730.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Whom alerts tell: resource ids of action groups. Empty: alerts are only to be seen in the portal.')
param actionGroupIds array = []

@description('How long there may be no sweep before an alert: more than the longest pause of schedule.cron. PT3H suits a sweep an hour, P2D one a day.')
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

@description('How many restarts of the container are no alert: 0 to 100.')
@minValue(0)
@maxValue(100)
param restarts int = 2

@description('Processor cores, as a text: 0.25 is the least that there is, and enough for some hundred secrets.')
@allowed([
  '0.25'
  '0.5'
  '0.75'
  '1.0'
])
param cpu string = '0.25'

@description('Tags of everything that is made here.')
param tags object = {}

var deadLetterContainer = '${queueName}-dead-letters'

// The platform gives each quarter of a core half a gibibyte, and takes no other pair.
var memory = {
  '0.25': '0.5Gi'
  '0.5': '1Gi'
  '0.75': '1.5Gi'
  '1.0': '2Gi'
}

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

module registryRole 'modules/registry-role.bicep' = if (!empty(registryName)) {
  name: '${name}-registry-role'
  scope: resourceGroup(registryResourceGroup)
  params: {
    registryName: registryName
    principalId: identity.properties.principalId
  }
}

resource hosting 'Microsoft.App/managedEnvironments@2024-03-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    // By diagnostic settings, below: that needs no key of the workspace, and its tables exist from the start.
    appLogsConfiguration: {
      destination: 'azure-monitor'
    }
    vnetConfiguration: empty(subnetId) ? null : {
      infrastructureSubnetId: subnetId
      internal: true
    }
    workloadProfiles: [
      {
        name: 'Consumption'
        workloadProfileType: 'Consumption'
      }
    ]
    zoneRedundant: false
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: hosting
  properties: {
    workspaceId: workspace.outputs.id
    logs: [
      {
        category: 'ContainerAppConsoleLogs'
        enabled: true
      }
      {
        category: 'ContainerAppSystemLogs'
        enabled: true
      }
    ]
  }
}

resource app 'Microsoft.App/containerApps@2024-03-01' = {
  name: name
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    environmentId: hosting.id
    workloadProfileName: 'Consumption'
    configuration: {
      // Two daemons would do no harm, but all the work twice. There is no ingress: nobody is meant to reach it.
      activeRevisionsMode: 'Single'
      maxInactiveRevisions: 3
      registries: empty(registryName) ? [] : [
        {
          server: '${registryName}${environment().suffixes.acrLoginServer}'
          identity: identity.id
        }
      ]
      secrets: [
        {
          // It holds no secret. This is how the platform mounts a file.
          name: 'configuration'
          value: configuration
        }
      ]
    }
    template: {
      // shutdown_grace is 25 s, and the process needs a moment before and after.
      terminationGracePeriodSeconds: 40
      scale: {
        minReplicas: 1
        maxReplicas: 1
      }
      containers: [
        {
          name: 'rekeyd'
          image: image
          resources: {
            cpu: json(cpu)
            memory: memory[cpu]
          }
          env: [
            {
              name: 'REKEYD_IDENTITY__CLIENT_ID'
              value: identity.properties.clientId
            }
            {
              name: 'REKEYD_QUEUE__URL'
              value: events.outputs.queueUrl
            }
            {
              // A changed secret alone restarts nothing. This does: a changed text makes a new revision.
              name: 'CONFIGURATION_HASH'
              value: uniqueString(configuration)
            }
          ]
          volumeMounts: [
            {
              volumeName: 'configuration'
              mountPath: '/etc/rekeyd'
            }
          ]
          probes: [
            {
              type: 'Liveness'
              httpGet: {
                path: '/livez'
                port: 9090
                scheme: 'HTTP'
              }
              initialDelaySeconds: 5
              periodSeconds: 20
              timeoutSeconds: 5
              failureThreshold: 3
            }
            {
              // Ready once each vault and Graph have answered: a revision that lacks a right does not take over.
              type: 'Readiness'
              httpGet: {
                path: '/readyz'
                port: 9090
                scheme: 'HTTP'
              }
              initialDelaySeconds: 5
              periodSeconds: 10
              timeoutSeconds: 5
              failureThreshold: 10
            }
          ]
        }
      ]
      volumes: [
        {
          name: 'configuration'
          storageType: 'Secret'
          secrets: [
            {
              secretRef: 'configuration'
              path: 'rekeyd.toml'
            }
          ]
        }
      ]
    }
  }
  dependsOn: [
    logs
    queueRoles
    vaultAccess
    registryRole
  ]
}

module alerts 'modules/alerts.bicep' = {
  name: '${name}-alerts'
  params: {
    name: name
    location: location
    tags: tags
    workspaceId: workspace.outputs.id
    lines: 'ContainerAppConsoleLogs\n| where ContainerAppName == "${name}"\n| extend line = parse_json(Log)'
    actionGroupIds: actionGroupIds
    sweepWindow: sweepWindow
    failuresAnHour: failuresAnHour
  }
}

var actions = [for id in actionGroupIds: {
  actionGroupId: id
}]

// The platform counts since the replica began: the alert stays until a new one takes its place.
resource restarting 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${name}-restarts'
  location: 'global'
  tags: tags
  properties: {
    description: 'The container was started again and again. Exit code 64 is a wrong configuration; the log tells what is wrong with it.'
    severity: 1
    enabled: true
    autoMitigate: true
    scopes: [
      app.id
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'restarts'
          metricNamespace: 'Microsoft.App/containerapps'
          metricName: 'RestartCount'
          timeAggregation: 'Maximum'
          operator: 'GreaterThan'
          threshold: restarts
        }
      ]
    }
    actions: actions
  }
}

@description('The object id of the identity: who owns applications, by deploy/azure/grant --principal.')
output principalId string = identity.properties.principalId

@description('The client id of the identity.')
output clientId string = identity.properties.clientId

@description('The name of the container app.')
output appName string = app.name

@description('The name of its newest revision.')
output revision string = app.properties.latestRevisionName

@description('The queue of events.')
output queueUrl string = events.outputs.queueUrl

@description('The storage account.')
output storageAccountName string = account.outputs.name

@description('The container for what could not be delivered.')
output deadLetterContainer string = deadLetterContainer

@description('The workspace that the logs are in.')
output workspaceId string = workspace.outputs.id
