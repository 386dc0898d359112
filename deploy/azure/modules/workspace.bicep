metadata description = 'The Log Analytics workspace.'

@description('Its name.')
@minLength(4)
@maxLength(63)
param name string

@description('Where it is.')
param location string

@description('Tags.')
param tags object

@description('How many days logs, and with them the audit trail, are kept.')
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
      // Logs come by diagnostic settings and by identities: nobody needs the keys of the workspace.
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

@description('Its resource id.')
output id string = workspace.id
