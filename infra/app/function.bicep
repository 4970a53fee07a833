// The function app on a Flex Consumption plan, and every setting that it gets.

@description('The name of the function app, and the beginning of its address.')
param name string

@description('The name of its plan.')
param planName string

@description('Where both are created.')
param location string

@description('Tags of both. The app bears the one that azd finds it by, too.')
param tags object

@description('The user-assigned identity that the app acts as.')
param identityName string

@description('The storage account of the host and of the runs.')
param storageAccountName string

@description('The container that the package is deployed to.')
param packageContainer string

@description('The Application Insights component that takes the telemetry.')
param insightsName string

@description('The subnet that the app goes out through. Empty: none.')
param subnetId string

@description('The families of pipelines in use.')
param pipelines array

@description('The memory of an instance in MB.')
param instanceMemoryMB int

@description('The most instances on demand of each function group.')
param maximumInstanceCount int

@description('Instances that are kept ready, as {name, instanceCount}.')
param alwaysReady array

@description('How running instances are replaced: RollingUpdate or Recreate. Empty: as the region does by itself.')
param siteUpdate string

@description('Settings by their names.')
param settings object

@description('Secret settings by their names, each with the URI of its Key Vault secret.')
param secretUris object

@description('The subscription that the platform runs in.')
param platformSubscriptionId string

@description('The resource group that the platform runs in.')
param platformResourceGroup string

@description('The Container Registry that builds the platform\'s images. Empty: not set.')
param platformRegistry string

@description('The Container App that the platform runs as. Empty: not set.')
param platformContainerApp string

@description('The Entra tenant whose tokens are accepted. Empty: no source of callers is set.')
param authTenantId string

@description('The audiences of accepted tokens, with commas.')
param authAudience string

@description('The client applications whose tokens are accepted, with commas. Empty: all.')
param authClientIds string

// What the pipelines have, generated from their code.
var registry = loadJsonContent('registry.json')

var clouds = {
  AzureCloud: 'public'
  AzureUSGovernment: 'usgovernment'
  AzureChinaCloud: 'china'
}

var ownSettings = {
  AzureWebJobsStorage__accountName: account.name
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.properties.clientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
  AZURE_CLIENT_ID: identity.properties.clientId
  AZURE_CLOUD: clouds[environment().name]
  WINDLASS_TABLE: registry.table
}
var authSettings = empty(authTenantId) ? {} : {
  WINDLASS_AUTH: 'entra'
  WINDLASS_AUTH_TENANT_ID: authTenantId
  WINDLASS_AUTH_AUDIENCE: authAudience
  WINDLASS_AUTH_CLIENT_IDS: authClientIds
}
var platformSettings = empty(platformRegistry) && empty(platformContainerApp) ? {} : {
  PLATFORM_SUBSCRIPTION_ID: platformSubscriptionId
  PLATFORM_RESOURCE_GROUP: platformResourceGroup
  PLATFORM_ACR_NAME: platformRegistry
  PLATFORM_CONTAINER_APP: platformContainerApp
}

var secretNames = map(filter(registry.settings, setting => setting.secret), setting => setting.name)
// The plan refuses these: it knows the runtime from elsewhere.
var refusedNames = ['FUNCTIONS_WORKER_RUNTIME', 'FUNCTIONS_EXTENSION_VERSION']
// With a second way to the account beside the app's own, the host might take that one.
var storagePrefix = 'AzureWebJobsStorage'
var plain = filter(items(settings), entry => !contains(secretNames, entry.key) && !contains(refusedNames, entry.key) && !startsWith(entry.key, storagePrefix))
var references = filter(items(secretUris), entry => !startsWith(entry.key, storagePrefix) && startsWith(entry.value, 'https://') && contains(entry.value, '/secrets/'))
var plainSettings = toObject(plain, entry => entry.key, entry => entry.value)
var secretSettings = toObject(references, entry => entry.key, entry => '@Microsoft.KeyVault(SecretUri=${entry.value})')

// Linux takes no hyphen in a setting's name, so functions are named with underscores.
var unused = filter(registry.families, family => !contains(pipelines, family.name))
var disabledSettings = toObject(flatten(map(unused, family => family.functions)), function => 'AzureWebJobs.${function}.Disabled', function => 'true')

// What is set later wins: nobody turns the app's own identity or storage away by a slip of the pen.
var appSettings = union(plainSettings, secretSettings, platformSettings, authSettings, disabledSettings, ownSettings)

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: identityName
}

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageAccountName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource plan 'Microsoft.Web/serverfarms@2025-05-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource site 'Microsoft.Web/sites@2025-05-01' = {
  name: name
  location: location
  // azd deploys to what bears its tag, so the plan has none.
  tags: union(tags, { 'azd-service-name': 'windlass' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${account.properties.primaryEndpoints.blob}${packageContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      runtime: {
        name: 'custom'
        version: '1.0'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReady
      }
      siteUpdateStrategy: empty(siteUpdate) ? null : { type: siteUpdate }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      appSettings: map(items(appSettings), setting => {
        name: setting.key
        value: setting.value
      })
    }
  }

  // Deploying takes an Entra token: no user name and password, neither by FTP nor by the deployment endpoint.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: {
      allow: false
    }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: {
      allow: false
    }
  }
}

@description('The name of the function app.')
output name string = site.name

@description('Where it answers.')
output uri string = 'https://${site.properties.defaultHostName}'

@description('Names in settings and secretUris that were left out.')
output leftOut array = concat(
  filter(objectKeys(settings), key => !contains(plainSettings, key)),
  filter(objectKeys(secretUris), key => !contains(secretSettings, key))
)
