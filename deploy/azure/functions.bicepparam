// Example. Copy it, and adjust the path of the template.
using './functions.bicep'

param name = 'example-rekeyd'

param vaults = [
  {
    name: 'example-vault'
    resourceGroup: 'example-vaults'
  }
]

param actionGroupIds = [
  '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/example-alerts/providers/Microsoft.Insights/actionGroups/on-call'
]
