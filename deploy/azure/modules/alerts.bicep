metadata description = 'Alerts on what rekeyd logs, whichever way its lines reach the workspace.'

@description('Begins the names of the rules.')
param name string

@description('Where they are.')
param location string

@description('Tags.')
param tags object

@description('The resource id of the workspace.')
param workspaceId string

@description('The query that yields the lines, each with the column line that holds one line of JSON.')
param lines string

@description('Whom alerts tell: resource ids of action groups.')
param actionGroupIds array

@description('How long there may be no sweep.')
@allowed([
  'PT3H'
  'PT6H'
  'P1D'
  'P2D'
])
param sweepWindow string

@description('How many actions on one secret may fail in an hour. A few do, and the next pass makes up for them.')
@minValue(0)
@maxValue(100)
param failuresAnHour int

var once = {
  numberOfEvaluationPeriods: 1
  minFailingPeriodsToAlert: 1
}

// A secret whose state a person has to mend is logged as an error at every look, which is at least once a sweep.
resource blocked 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = {
  name: '${name}-blocked'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: a secret is blocked'
    description: 'A person is needed: the line tells the reason, and rekeyd doctor the remedy. The published credential goes on to work until its end.'
    severity: 1
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    // The table of a new workspace begins with its first line: the query can not be checked before.
    skipQueryValidation: true
    autoMitigate: false
    muteActionsDuration: 'PT6H'
    criteria: {
      allOf: [
        {
          query: '${lines}\n| where tostring(line.level) == "ERROR" and isnotempty(tostring(line.secret))\n| project TimeGenerated, secret = tostring(line.secret), reason = tostring(line.reason), message = tostring(line.message)'
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

// What is an error and of no secret: a message in the poison queue above all.
resource errors 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = {
  name: '${name}-errors'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: an error that is of no secret'
    description: 'rekeyd logs an error only where a person should act: the line says what it is about.'
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

// From the audit trail: what was done and did not work. "stopped" is a shutdown, and no failure.
resource failures 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = {
  name: '${name}-failures'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: actions on a secret fail'
    description: 'Steps of a rotation failed, or their outcome is unknown, more often than now and then. Look at the audit lines of this secret.'
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

// The guarantee is the sweep: without it nothing is rotated in time, and nothing else would tell.
resource silence 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = {
  name: '${name}-silence'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: no sweep'
    description: 'No sweep was logged for longer than there should be. Whether it runs at all, and what it logged last, comes first.'
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
          query: '${lines}\n| where tostring(line.message) startswith "sweeping over"'
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
