// Every role of the identity, once, with the reason. A pipeline that needs more adds its lines to `roles`.

@description('The object id of the identity.')
param principalId string

@description('The families of pipelines in use: the roles of the others are not granted.')
param pipelines array

@description('The storage account of the host and of the runs.')
param storageAccountName string

@description('The Application Insights component that takes the telemetry.')
param insightsName string

@description('The subscription that the platform runs in.')
param platformSubscriptionId string

@description('The resource group that the platform runs in.')
param platformResourceGroup string

@description('The Container Registry that builds the platform\'s images. Empty: no role on one.')
param platformRegistry string

@description('The Container App that the platform runs as. Empty: no role on one.')
param platformContainerApp string

@description('The Key Vault with the secret settings. Empty: no role on one.')
param keyVaultName string

@description('The resource group of the Key Vault.')
param keyVaultResourceGroup string

@description('The subscription of the Key Vault.')
param keyVaultSubscriptionId string

// `family` is the one that needs the role; empty: all of them do.
var roles = [
  {
    name: 'Storage Blob Data Owner'
    role: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
    scope: 'storage'
    family: ''
    reason: 'The host keeps its leases and keys in blobs, the app reads its package, runs append their logs.'
  }
  {
    name: 'Storage Queue Data Contributor'
    role: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
    scope: 'storage'
    family: ''
    reason: 'The host takes tickets from the queues and moves them to the poison queues; runs send the next ones.'
  }
  {
    name: 'Storage Table Data Contributor'
    role: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
    scope: 'storage'
    family: ''
    reason: 'Runs are rows of the table; the host writes its diagnostic events into a table too.'
  }
  {
    name: 'Monitoring Metrics Publisher'
    role: '3913510d-42f4-4e42-8a64-420c390055eb'
    scope: 'insights'
    family: ''
    reason: 'Telemetry is sent by the identity, because the component takes it from nobody else.'
  }
  {
    name: 'Key Vault Secrets User'
    role: '4633458b-17de-408a-b874-0445c86b69e6'
    scope: 'keyVault'
    family: ''
    reason: 'Secret settings are references to the secrets of the vault.'
  }
  {
    name: 'Container Registry Tasks Contributor'
    role: 'fb382eab-e894-4461-af04-94435c366c3f'
    scope: 'registry'
    family: 'upgrade'
    reason: 'Builds are scheduled, followed, cancelled and listed; sources are uploaded to where the registry says.'
  }
  {
    name: 'AcrPull'
    role: '7f951dda-4ed3-4680-a7ca-43fe172d538d'
    scope: 'registry'
    family: 'upgrade'
    reason: 'Before a rollout, and before anything is deleted, tags and digests of images are read.'
  }
  {
    name: 'AcrDelete'
    role: 'c2f4ef07-c644-48eb-af81-4b1b4947fb11'
    scope: 'registry'
    family: 'upgrade'
    reason: 'Retention deletes images that nobody needs any more.'
  }
  {
    name: 'Container Apps Contributor'
    role: '358470bc-b998-42bd-ab17-a7e34c199c0f'
    scope: 'containerApp'
    family: 'upgrade'
    reason: 'The app gets new images and its traffic; its revisions and replicas are watched, started and stopped.'
  }
]

var granted = filter(roles, one => empty(one.family) || contains(pipelines, one.family))

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageAccountName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource onStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for item in filter(granted, one => one.scope == 'storage'): {
  name: guid(account.id, principalId, item.role)
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', item.role)
    description: item.reason
  }
}]

resource onInsights 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for item in filter(granted, one => one.scope == 'insights'): {
  name: guid(insights.id, principalId, item.role)
  scope: insights
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', item.role)
    description: item.reason
  }
}]

module onPlatform 'existing.bicep' = if (!empty(platformRegistry) || !empty(platformContainerApp)) {
  name: 'windlass-rbac-platform'
  scope: resourceGroup(platformSubscriptionId, platformResourceGroup)
  params: {
    principalId: principalId
    roles: granted
    registryName: platformRegistry
    containerAppName: platformContainerApp
    keyVaultName: ''
  }
}

module onKeyVault 'existing.bicep' = if (!empty(keyVaultName)) {
  name: 'windlass-rbac-vault'
  scope: resourceGroup(keyVaultSubscriptionId, keyVaultResourceGroup)
  params: {
    principalId: principalId
    roles: granted
    registryName: ''
    containerAppName: ''
    keyVaultName: keyVaultName
  }
}
