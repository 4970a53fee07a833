// Roles on resources that are there already, in their own resource group. Which ones: rbac.bicep.

@description('The object id of the identity.')
param principalId string

@description('The roles to grant, each with its scope: registry, containerApp or keyVault. Those of other scopes are not for here.')
param roles array

@description('The Container Registry. Empty: none in this resource group.')
param registryName string

@description('The Container App. Empty: none in this resource group.')
param containerAppName string

@description('The Key Vault. Empty: none in this resource group.')
param keyVaultName string

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = if (!empty(registryName)) {
  name: registryName
}

resource containerApp 'Microsoft.App/containerApps@2024-03-01' existing = if (!empty(containerAppName)) {
  name: containerAppName
}

resource keyVault 'Microsoft.KeyVault/vaults@2023-07-01' existing = if (!empty(keyVaultName)) {
  name: keyVaultName
}

resource onRegistry 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for item in filter(roles, one => one.scope == 'registry' && !empty(registryName)): {
  name: guid(registry.id, principalId, item.role)
  scope: registry
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', item.role)
    description: item.reason
  }
}]

resource onContainerApp 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for item in filter(roles, one => one.scope == 'containerApp' && !empty(containerAppName)): {
  name: guid(containerApp.id, principalId, item.role)
  scope: containerApp
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', item.role)
    description: item.reason
  }
}]

resource onKeyVault 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for item in filter(roles, one => one.scope == 'keyVault' && !empty(keyVaultName)): {
  name: guid(keyVault.id, principalId, item.role)
  scope: keyVault
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', item.role)
    description: item.reason
  }
}]
