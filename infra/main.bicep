// Windlass in one resource group: the function app with everything that it needs.
//
// The scope is the resource group, so that whoever installs needs rights on that group alone, and so that azd and a plain
// `az deployment group create` take the same file.
targetScope = 'resourceGroup'

@minLength(1)
@maxLength(40)
@description('What tells this installation from others; azd gives its environment\'s name.')
param environmentName string

@description('Where everything is created.')
param location string = resourceGroup().location

@description('Tags of every resource.')
param tags object = {}

@allowed([
  'probe'
  'upgrade'
])
@description('The families of pipelines in use. Functions of the others are disabled, because each costs polls or cold starts.')
param pipelines array = [
  'upgrade'
  'probe'
]

@description('Settings of the handler by their names, for example {"UPGRADE_STRATEGY": "blue_green"}. Secret ones are left out: they belong into secretUris.')
param settings object = {}

@description('Secret settings by their names, each with the URI of its Key Vault secret, for example {"UPGRADE_GIT_TOKEN": "https://<vault>.vault.azure.net/secrets/git-token"}. Never the secret itself.')
param secretUris object = {}

@description('The Key Vault that secretUris lead to. Empty: no role is granted on one.')
param keyVaultName string = ''

@description('The resource group of that Key Vault.')
param keyVaultResourceGroup string = resourceGroup().name

@description('The subscription of that Key Vault.')
param keyVaultSubscriptionId string = subscription().subscriptionId

@description('The subscription that the platform runs in.')
param platformSubscriptionId string = subscription().subscriptionId

@description('The resource group that the platform runs in.')
param platformResourceGroup string = resourceGroup().name

@description('The Container Registry that builds the platform\'s images. Empty: no role is granted on one, and upgrades fail before they build.')
param platformRegistry string = ''

@description('The Container App that the platform runs as. Empty: no role is granted on one.')
param platformContainerApp string = ''

@description('The Entra tenant whose tokens are accepted. Empty: nobody may call protected routes.')
param authTenantId string = ''

@description('The audiences of accepted tokens, with commas: the client id of the app registration, its application id URI, or both.')
param authAudience string = ''

@description('The client applications whose tokens are accepted, with commas. Empty: all of the tenant.')
param authClientIds string = ''

@allowed([
  512
  2048
  4096
])
@description('The memory of an instance in MB.')
param instanceMemoryMB int = 512

@minValue(1)
@maxValue(1000)
@description('The most instances on demand of each function group: all HTTP functions are one, every other function is its own. Some regions refuse less than 40.')
param maximumInstanceCount int = 40

@description('Instances that are kept ready, as {name, instanceCount}; the name is a function group such as "http", or "function:<name>". They cost while nothing runs.')
param alwaysReady array = []

@allowed([
  ''
  'Recreate'
  'RollingUpdate'
])
@description('How running instances are replaced. Empty: as the region does by itself (Recreate). RollingUpdate lets invocations end first; a preview.')
param siteUpdate string = ''

@allowed([
  'Standard_LRS'
  'Standard_ZRS'
])
@description('The redundancy of the storage account.')
param storageSku string = 'Standard_LRS'

@minValue(0)
@description('After how many days logs of runs are deleted; 0: never.')
param logDays int = 0

@description('Whether the storage account is reached through a virtual network alone.')
param privateNetwork bool = false

@description('The address space of that virtual network, a /25 at least.')
param addressSpace string = '10.90.0.0/24'

@minValue(30)
@maxValue(730)
@description('How many days telemetry is kept.')
param telemetryDays int = 30

@minValue(-1)
@description('The most GB of telemetry that a day may bring; -1: no limit; 0 stops telemetry.')
param dailyCapGb int = 1

@description('Whether alerts are created: failed runs, poison messages, stuck runs, a silent sweep.')
param alerts bool = true

@description('Who is told of alerts, by e-mail. Empty: they are shown in the portal alone.')
param alertEmail string = ''

var token = uniqueString(resourceGroup().id, environmentName)
var packageContainer = 'windlass-package'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-windlass-${token}'
  location: location
  tags: tags
}

module storage 'app/storage.bicep' = {
  name: 'windlass-storage'
  params: {
    name: 'st${token}'
    location: location
    tags: tags
    sku: storageSku
    packageContainer: packageContainer
    privateNetwork: privateNetwork
    logDays: logDays
  }
}

module network 'app/network.bicep' = if (privateNetwork) {
  name: 'windlass-network'
  params: {
    name: 'windlass-${token}'
    location: location
    tags: tags
    addressSpace: addressSpace
    storageAccountName: storage.outputs.name
  }
}

module monitoring 'app/monitoring.bicep' = {
  name: 'windlass-monitoring'
  params: {
    name: 'windlass-${token}'
    location: location
    tags: tags
    retentionDays: telemetryDays
    dailyCapGb: dailyCapGb
    alerts: alerts
    alertEmail: alertEmail
  }
}

module rbac 'app/rbac.bicep' = {
  name: 'windlass-rbac'
  params: {
    principalId: identity.properties.principalId
    pipelines: pipelines
    storageAccountName: storage.outputs.name
    insightsName: monitoring.outputs.insightsName
    platformSubscriptionId: platformSubscriptionId
    platformResourceGroup: platformResourceGroup
    platformRegistry: platformRegistry
    platformContainerApp: platformContainerApp
    keyVaultName: keyVaultName
    keyVaultResourceGroup: keyVaultResourceGroup
    keyVaultSubscriptionId: keyVaultSubscriptionId
  }
}

module function 'app/function.bicep' = {
  name: 'windlass-function'
  params: {
    name: 'func-windlass-${token}'
    planName: 'plan-windlass-${token}'
    location: location
    tags: tags
    identityName: identity.name
    storageAccountName: storage.outputs.name
    packageContainer: packageContainer
    insightsName: monitoring.outputs.insightsName
    subnetId: privateNetwork ? network!.outputs.functionSubnetId : ''
    pipelines: pipelines
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReady: alwaysReady
    siteUpdate: siteUpdate
    settings: settings
    secretUris: secretUris
    platformSubscriptionId: platformSubscriptionId
    platformResourceGroup: platformResourceGroup
    platformRegistry: platformRegistry
    platformContainerApp: platformContainerApp
    authTenantId: authTenantId
    authAudience: authAudience
    authClientIds: authClientIds
  }
  // The app reads its package and its secrets with these roles.
  dependsOn: [
    rbac
  ]
}

@description('The name of the function app, for deploying a package to it.')
output functionAppName string = function.outputs.name

@description('Where Windlass answers.')
output functionAppUri string = function.outputs.uri

@description('The storage account that holds runs, tickets and logs.')
output storageAccountName string = storage.outputs.name

@description('The object id of the identity, for roles that are granted elsewhere.')
output identityPrincipalId string = identity.properties.principalId

@description('Names in settings and secretUris that were left out: in settings a secret or what is the app\'s own, in secretUris the storage account or no Key Vault secret\'s URI.')
output leftOut array = function.outputs.leftOut
