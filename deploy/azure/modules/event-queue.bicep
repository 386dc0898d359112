metadata description = 'The event queue, its poison queue, and the container for undelivered events.'

@description('The storage account.')
param accountName string

@description('The name of the queue.')
@minLength(3)
@maxLength(50)
param queueName string

@description('The name of the container.')
@minLength(3)
@maxLength(63)
param deadLetterContainer string

@description('Retention of undelivered events in days.')
@minValue(1)
@maxValue(365)
param deadLetterDays int

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: accountName
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = {
  parent: queueService
  name: queueName
}

// rekeyd and the Functions host both expect this name. It is created here, so that neither needs permission to create queues.
resource poison 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = {
  parent: queueService
  name: '${queueName}-poison'
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
}

resource deadLetters 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobService
  name: deadLetterContainer
  properties: {
    publicAccess: 'None'
  }
}

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'old-dead-letters'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                '${deadLetterContainer}/'
              ]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: deadLetterDays
                }
              }
            }
          }
        }
      ]
    }
  }
  dependsOn: [
    deadLetters
  ]
}

@description('URL of the queue, for queue.url.')
output queueUrl string = '${account.properties.primaryEndpoints.queue}${queue.name}'

@description('URL of the queue service, for the Functions host.')
output queueServiceUrl string = account.properties.primaryEndpoints.queue

@description('Name of the poison queue.')
output poisonQueueName string = poison.name
