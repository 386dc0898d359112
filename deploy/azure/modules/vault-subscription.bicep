metadata description = 'The subscription to the events of one vault, beside its topic, and the alert if they do not arrive.'

@description('The name of the system topic.')
param topicName string

@description('The name of the subscription.')
@minLength(3)
@maxLength(64)
param name string

@description('The resource id of the storage account that events go to.')
param accountId string

@description('The queue of events.')
param queueName string

@description('The container for what could not be delivered.')
param deadLetterContainer string

@description('Whom the alert tells: resource ids of action groups.')
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
      // The three that wake rekeyd. A new version too: somebody else may have written it.
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
          // Seven days. What is older says nothing that the sweeps since have not seen.
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
    // A day, the most there is: a queue that is away for longer is told by the alert below.
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
    description: 'Event Grid could not deliver events and has put them into the dead-letter container. Sweeps go on; look at the role assignments of the identity of the topic and at the network of the storage account.'
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

@description('The resource id of the subscription.')
output id string = toQueue.id
