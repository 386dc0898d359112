metadata description = 'The Log Analytics workspace.'

@description('Name.')
@minLength(4)
@maxLength(63)
param name string

@description('Location.')
param location string

@description('Tags.')
param tags object

@description('Retention of logs, including the audit trail, in days.')
@minValue(30)
@maxValue(730)
param retentionDays int

resource workspace 'Microsoft.OperationalInsights/workspaces@2022-10-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    features: {
      // Logs arrive through diagnostic settings and identities, so the workspace keys are not needed.
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

@description('Resource id.')
output id string = workspace.id
