// What is given to main.bicep, by azd and by `az deployment group create` alike. infra/README.md tells what there is.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'production')
param pipelines = ['upgrade', 'probe']
