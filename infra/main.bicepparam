// For `az deployment group create`: copy it, fill it in. infra/README.md tells what each parameter is.
using 'main.bicep'

param environmentName = 'production'
param pipelines = ['upgrade', 'probe']
