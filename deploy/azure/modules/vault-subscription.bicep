metadata description = 'The event subscription of one vault, in the resource group of its topic, and the alert on undelivered events.'

@description('Name of the system topic.')
param topicName string

@description('Name of the subscription.')
@minLength(3)
@maxLength(64)
param name string

@description('Resource id of the storage account for events.')
param accountId string

@description('The event queue.')
param queueName string

@description('The container for undelivered events.')
param deadLetterContainer string

@description('Resource ids of the action groups to notify.')
param actionGroupIds array

@description('Tags of the alert.')
param tags object

var actions = [for id in actionGroupIds: {
  actionGroupId: id
}]

resource topic 'Microsoft.EventGrid/systemTopics@2022-06-15' existing = {
  name: topicName
}

resource toQueue 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2022-06-15' = {
  parent: topic
  name: name
  properties: {
    eventDeliverySchema: 'EventGridSchema'
    filter: {
      // The event types that rekeyd handles. A new version is one of them, because it may not be written by rekeyd.
      includedEventTypes: [
        'Microsoft.KeyVault.SecretNearExpiry'
        'Microsoft.KeyVault.SecretExpired'
        'Microsoft.KeyVault.SecretNewVersionCreated'
      ]
    }
    deliveryWithResourceIdentity: {
      identity: {
        type: 'SystemAssigned'
      }
      destination: {
        endpointType: 'StorageQueue'
        properties: {
          resourceId: accountId
          queueName: queueName
          // Seven days. Sweeps have already found whatever older events report.
          queueMessageTimeToLiveInSeconds: 604800
        }
      }
    }
    deadLetterWithResourceIdentity: {
      identity: {
        type: 'SystemAssigned'
      }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: accountId
          blobContainerName: deadLetterContainer
        }
      }
    }
    // One day, the maximum. If the queue is unavailable for longer, the alert below fires.
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 1440
    }
  }
}

resource undelivered 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${topicName}-${name}-undelivered'
  location: 'global'
  tags: tags
  properties: {
    description: 'Event Grid could not deliver events and has moved them to the dead-letter container. Sweeps continue. Check the role assignments of the identity of the topic and the network rules of the storage account.'
    severity: 2
    enabled: true
    autoMitigate: true
    scopes: [
      topic.id
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'dead-lettered'
          metricNamespace: 'Microsoft.EventGrid/systemTopics'
          metricName: 'DeadLetteredCount'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: actions
  }
}

@description('Resource id of the subscription.')
output id string = toQueue.id
