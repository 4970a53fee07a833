// Where telemetry goes, what it is asked by itself, and who is told.

@description('What the names are made of.')
param name string

@description('Where it is created.')
param location string

@description('Tags of its resources.')
param tags object

@description('How many days telemetry is kept.')
param retentionDays int

@description('The most GB of telemetry that a day may bring; -1: no limit.')
param dailyCapGb int

@description('Whether alerts are created.')
param alerts bool

@description('Who is told of alerts, by e-mail. Empty: nobody.')
param alertEmail string

// A query answers rows when there is something to tell. What happened once is looked for in a window that is longer than
// the time between two looks, because records arrive late.
var rules = [
  {
    name: 'failed-runs'
    title: 'Windlass: a run failed'
    query: loadTextContent('../queries/failed-runs.kql')
    severity: 2
    window: 'PT30M'
  }
  {
    name: 'poison'
    title: 'Windlass: a message was delivered too often'
    query: loadTextContent('../queries/poison.kql')
    severity: 2
    window: 'PT30M'
  }
  {
    name: 'stuck-runs'
    title: 'Windlass: a run is stuck'
    query: loadTextContent('../queries/stuck-runs.kql')
    severity: 2
    window: 'PT15M'
  }
  {
    name: 'sweep-silence'
    title: 'Windlass: the sweep is silent'
    query: loadTextContent('../queries/sweep-silence.kql')
    severity: 1
    window: 'PT30M'
  }
]
var wanted = alerts ? rules : []

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-${name}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    workspaceCapping: {
      dailyQuotaGb: dailyCapGb
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${name}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    // Nobody sends telemetry by knowing the connection string alone.
    DisableLocalAuth: true
  }
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (alerts && !empty(alertEmail)) {
  name: 'ag-${name}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'windlass'
    emailReceivers: [
      {
        name: 'operator'
        emailAddress: alertEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

resource alertRules 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = [for rule in wanted: {
  name: '${name}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: rule.title
    severity: rule.severity
    enabled: true
    scopes: [insights.id]
    evaluationFrequency: 'PT15M'
    windowSize: rule.window
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    // The tables of the metrics do not exist before the first of them arrives.
    skipQueryValidation: true
    actions: {
      actionGroups: empty(alertEmail) ? [] : [people.id]
    }
  }
}]

resource workbook 'Microsoft.Insights/workbooks@2022-04-01' = {
  name: guid(resourceGroup().id, name, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Windlass'
    category: 'workbook'
    version: '1.0'
    sourceId: insights.id
    serializedData: loadTextContent('../workbook.json')
  }
}

@description('The name of the Application Insights component.')
output insightsName string = insights.name
