// The storage account: runs in a table, tickets in queues, logs and the app's package in containers. No keys.

@description('The name of the storage account.')
param name string

@description('Where it is created.')
param location string

@description('Its tags.')
param tags object

@description('Its redundancy.')
param sku string

@description('The container of the function app\'s package.')
param packageContainer string

@description('Whether it is reached through private endpoints alone.')
param privateNetwork bool

@description('After how many days logs of runs are deleted; 0: never.')
param logDays int

// What the pipelines have, generated from their code.
var registry = loadJsonContent('registry.json')
var queueNames = flatten(map(registry.families, family => concat(family.queues, family.poisonQueues)))
var tableNames = [registry.table]
var containerNames = concat(registry.containers, [packageContainer])
var logPrefixes = map(registry.logContainers, container => '${container}/')

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'None'
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
    }
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' = {
  parent: account
  name: 'default'
}

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2023-05-01' = {
  parent: account
  name: 'default'
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = [for container in containerNames: {
  parent: blobService
  name: container
  properties: {
    publicAccess: 'None'
  }
}]

resource queues 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = [for queue in queueNames: {
  parent: queueService
  name: queue
}]

resource tables 'Microsoft.Storage/storageAccounts/tableServices/tables@2023-05-01' = [for table in tableNames: {
  parent: tableService
  name: table
}]

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01' = if (logDays > 0) {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'old-logs'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              // Delete is the one action that these rules know for append blobs.
              blobTypes: ['appendBlob']
              prefixMatch: logPrefixes
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: logDays
                }
              }
            }
          }
        }
      ]
    }
  }
}

@description('The name of the storage account.')
output name string = account.name
