metadata description = 'Alerts on log lines of rekeyd in the workspace.'

@description('Prefix of the names of the rules.')
param name string

@description('Location of the rules.')
param location string

@description('Tags.')
param tags object

@description('Resource id of the workspace.')
param workspaceId string

@description('Query that returns the log lines; its column line holds the parsed JSON.')
param lines string

@description('Resource ids of the action groups to notify.')
param actionGroupIds array

@description('Time without a sweep before the alert fires.')
@allowed([
  'PT3H'
  'PT6H'
  'P1D'
  'P2D'
])
param sweepWindow string

@description('Number of failed actions on one secret per hour above which the alert fires. A few failures are normal: the next pass retries.')
@minValue(0)
@maxValue(100)
param failuresAnHour int

var once = {
  numberOfEvaluationPeriods: 1
  minFailingPeriodsToAlert: 1
}

// A blocked secret that needs an operator is logged as an error by every pass, at least once a sweep.
resource blocked 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = {
  name: '${name}-blocked'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: a secret is blocked'
    description: 'An operator must act: the log line shows the reason, rekeyd doctor the remedy. The published credential works until it expires.'
    severity: 1
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    // A new workspace has no table before its first line, so the query can't be validated at deployment.
    skipQueryValidation: true
    autoMitigate: false
    muteActionsDuration: 'PT6H'
    criteria: {
      allOf: [
        {
          query: '${lines}\n| where tostring(line.level) == "ERROR" and isnotempty(tostring(line.secret))\n| project TimeGenerated, secret = tostring(line.secret), reason = tostring(line.reason), detail = tostring(line.detail)'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [
            {
              name: 'secret'
              operator: 'Include'
              values: [
                '*'
              ]
            }
            {
              name: 'reason'
              operator: 'Include'
              values: [
                '*'
              ]
            }
          ]
          failingPeriods: once
        }
      ]
    }
    actions: {
      actionGroups: actionGroupIds
    }
  }
}

// Errors that do not belong to a secret, mainly messages moved to the poison queue.
resource errors 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = {
  name: '${name}-errors'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: an error without a secret'
    description: 'rekeyd logs an error only if an operator should act: the log line shows the cause.'
    severity: 2
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    skipQueryValidation: true
    autoMitigate: false
    criteria: {
      allOf: [
        {
          query: '${lines}\n| where tostring(line.level) == "ERROR" and isempty(tostring(line.secret))\n| project TimeGenerated, message = tostring(line.message)'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: once
        }
      ]
    }
    actions: {
      actionGroups: actionGroupIds
    }
  }
}

// Failed actions in the audit trail. "stopped" is a shutdown, not a failure.
resource failures 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = {
  name: '${name}-failures'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: actions on a secret fail'
    description: 'Steps of a rotation fail repeatedly, or their outcome is unknown. Check the audit lines of this secret.'
    severity: 2
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT1H'
    skipQueryValidation: true
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: '${lines}\n| where tostring(line.target) == "audit" and tostring(line.event) == "action" and tostring(line.outcome) in ("failed", "unknown")\n| project TimeGenerated, secret = tostring(line.secret), action = tostring(line.action), outcome = tostring(line.outcome), detail = tostring(line.detail)'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: failuresAnHour
          dimensions: [
            {
              name: 'secret'
              operator: 'Include'
              values: [
                '*'
              ]
            }
          ]
          failingPeriods: once
        }
      ]
    }
    actions: {
      actionGroups: actionGroupIds
    }
  }
}

// Rotations depend on the sweep: without it nothing is rotated in time, and no other alert fires.
resource silence 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = {
  name: '${name}-silence'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: no sweep'
    description: 'No sweep was logged within the expected time. Check that rekeyd runs, and read its last log lines.'
    severity: 1
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT1H'
    windowSize: sweepWindow
    skipQueryValidation: true
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: '${lines}\n| where tostring(line.message) == "started sweep"'
          timeAggregation: 'Count'
          operator: 'LessThan'
          threshold: 1
          failingPeriods: once
        }
      ]
    }
    actions: {
      actionGroups: actionGroupIds
    }
  }
}
