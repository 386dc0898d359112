metadata description = 'rekeyd on Azure Container Apps: one daemon without ingress, triggered by a queue and by its schedule.'

targetScope = 'resourceGroup'

@description('Name of the app and of the identity, and prefix of the other resources: lower-case letters, digits and hyphens, starting with a letter.')
@minLength(3)
@maxLength(24)
param name string = 'rekeyd'

@description('Location of all resources. Vaults may be elsewhere.')
param location string = resourceGroup().location

@description('Container image, preferably by digest: REGISTRY/rekeyd@sha256:... It runs "rekeyd run" and reads /etc/rekeyd/rekeyd.toml.')
@minLength(3)
param image string

@description('Content of rekeyd.toml. In a parameter file: loadTextContent(\'rekeyd.toml\').')
@secure()
@minLength(1)
param configuration string

@description('All vaults in the configuration, including those of replicas. Each is an object: name; resourceGroup and subscriptionId, if they differ from those of this deployment; topic, the name of its system topic, if it has one.')
@minLength(1)
param vaults array

@description('Role of rekeyd in the vaults. custom: a role for each vault that may read, list, write and update secrets. secretsOfficer: the built-in role, which may also delete and purge secrets; use it if you are not allowed to create roles.')
@allowed([
  'custom'
  'secretsOfficer'
])
param vaultRole string = 'custom'

@description('Name of the Azure container registry to pull the image from; the identity gets AcrPull on it. Empty: a registry without authentication.')
@maxLength(50)
param registryName string = ''

@description('Resource group of that registry, in this subscription.')
param registryResourceGroup string = resourceGroup().name

@description('Name of the storage account for events: 3 to 24 lower-case letters and digits, unique in all of Azure.')
@minLength(3)
@maxLength(24)
param storageAccountName string = 'rekeyd${uniqueString(resourceGroup().id, name)}'

@description('Redundancy of the storage account.')
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

@description('Resource id of a subnet to run in: /27 or larger, delegated to Microsoft.App/environments, with the service endpoints Microsoft.Storage and (for vaults with a firewall) Microsoft.KeyVault. The storage account then allows only this subnet and Event Grid. Empty: no virtual network.')
param subnetId string = ''

@description('Retention of logs, including the audit trail, in days: 30 to 730.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Resource ids of the action groups to notify. Empty: alerts are only visible in the portal.')
param actionGroupIds array = []

@description('Time without a sweep before the alert fires: longer than the longest interval of schedule.cron. PT3H suits hourly sweeps, P2D daily ones.')
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

@description('Number of restarts of the container above which the alert fires: 0 to 100.')
@minValue(0)
@maxValue(100)
param restarts int = 2

@description('CPU cores, as a string. 0.25 is the minimum, and enough for a few hundred secrets.')
@allowed([
  '0.25'
  '0.5'
  '0.75'
  '1.0'
])
param cpu string = '0.25'

@description('Tags of all resources.')
param tags object = {}

var deadLetterContainer = '${queueName}-dead-letters'

// The platform requires 0.5 GiB of memory for each 0.25 cores.
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
    // Logs go through the diagnostic settings below: they need no workspace key, and their tables exist from the start.
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
      // Two daemons are safe, but would do all work twice. No ingress: the daemon is not reachable from outside.
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
          // It contains no secret; the platform mounts files this way.
          name: 'configuration'
          value: configuration
        }
      ]
    }
    template: {
      // Longer than reconcile.shutdown_grace (25 s by default).
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
              // A changed secret alone does not restart the app. A changed hash creates a new revision.
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
              // Ready once Graph and every vault have answered: a revision without permissions does not take over.
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

// The platform counts restarts of a replica: the alert stays until a new replica takes over.
resource restarting 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${name}-restarts'
  location: 'global'
  tags: tags
  properties: {
    description: 'The container restarts repeatedly. Exit code 64 means that the configuration is invalid; the log lists the problems.'
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

@description('Object id of the identity, for deploy/azure/grant --principal.')
output principalId string = identity.properties.principalId

@description('Client id of the identity.')
output clientId string = identity.properties.clientId

@description('Name of the container app.')
output appName string = app.name

@description('Name of the latest revision.')
output revision string = app.properties.latestRevisionName

@description('The event queue.')
output queueUrl string = events.outputs.queueUrl

@description('The storage account.')
output storageAccountName string = account.outputs.name

@description('The container for undelivered events.')
output deadLetterContainer string = deadLetterContainer

@description('Resource id of the workspace that holds the logs.')
output workspaceId string = workspace.outputs.id
