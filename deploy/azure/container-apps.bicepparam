// Example. Copy it next to your rekeyd.toml, and adjust the path of the template.
using './container-apps.bicep'

param image = 'ghcr.io/example/rekeyd:0.1.0'

param configuration = loadTextContent('rekeyd.toml')

param vaults = [
  {
    name: 'example-vault'
    resourceGroup: 'example-vaults'
  }
]

param actionGroupIds = [
  '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/example-alerts/providers/Microsoft.Insights/actionGroups/on-call'
]
