use crate::copy::Copy;

const MAIN: &str = "infra/main.bicep";
const FUNCTION: &str = "infra/app/function.bicep";
const STORAGE: &str = "infra/app/storage.bicep";
const MONITORING: &str = "infra/app/monitoring.bicep";
const RBAC: &str = "infra/app/rbac.bicep";
const EXISTING: &str = "infra/app/existing.bicep";
const AZD: &str = "azure.yaml";
const REGISTRY: &str = "infra/app/registry.json";

/// A file, what it says, what it says instead, and what the check has to say to that.
type Case = (&'static str, &'static str, &'static str, &'static str);

fn each_is_named(cases: &[Case]) {
    let mut missed = Vec::new();
    for (file, from, to, wanted) in cases {
        let copy = Copy::new();
        copy.replace(file, from, to);
        let faults = copy.faults();
        if !faults.iter().any(|fault| fault.contains(wanted)) {
            missed.push(format!("{file}: {to} in place of {from} is not told as '{wanted}' but as {faults:#?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn what_is_no_bicep_is_named_with_its_line() {
    each_is_named(&[
        (STORAGE, "param name string", "param name string string", "infra/app/storage.bicep:"),
        (STORAGE, "sku: {", "sku: [", "infra/app/storage.bicep:"),
        (MAIN, "module rbac 'app/rbac.bicep' = {", "module rbac 'app/rbac.bicep' {", "infra/main.bicep:"),
        ("infra/main.bicepparam", "'production'", "'production", "infra/main.bicepparam:"),
    ]);
}

#[test]
fn a_name_without_declaration_use_or_description_is_named() {
    each_is_named(&[
        (STORAGE, "@description('Its redundancy.')\n", "", "the parameter sku has no description"),
        (
            STORAGE,
            "@description('The name of the storage account.')\noutput",
            "output",
            "the output name has no description",
        ),
        (STORAGE, "    name: sku", "    name: 'Standard_LRS'", "nothing uses the parameter sku"),
        (STORAGE, "var tableNames =", "var spare = 1\nvar tableNames =", "nothing uses the variable spare"),
        (FUNCTION, "insights.properties.ConnectionString", "'none'", "nothing uses the existing resource insights"),
        (STORAGE, "    name: sku", "    name: skew", "nothing declares skew"),
        (RBAC, "one => one.scope == 'storage'", "one => line.scope == 'storage'", "nothing declares line"),
    ]);
}

#[test]
fn a_module_that_is_given_or_asked_something_else_is_named() {
    each_is_named(&[
        (MAIN, "    sku: storageSku\n", "", "the module storage does not pass sku"),
        (MAIN, "    sku: storageSku\n", "    sku: storageSku\n    colour: 'red'\n", "the module storage passes colour"),
        (MAIN, "storage.outputs.name", "storage.outputs.title", "infra/app/storage.bicep puts out no title"),
        (MAIN, "'app/network.bicep'", "'app/web.bicep'", "leads to no file app/web.bicep"),
        (MAIN, "function.outputs.uri", "function.outputs.name", "nobody asks for the output uri"),
        (
            MAIN,
            "param environmentName string",
            "param environmentName string\n@description('x')\nparam spare string",
            "does not pass spare",
        ),
        ("infra/main.bicepparam", "param pipelines", "param pipeline", "passes pipeline, which"),
        ("infra/main.bicepparam", "param environmentName", "param environment", "does not pass environmentName"),
        (MONITORING, "../queries/poison.kql", "../queries/poisoned.kql", "there is no file ../queries/poisoned.kql"),
    ]);
}

#[test]
fn a_store_that_is_missing_extra_or_double_is_named() {
    each_is_named(&[
        (
            STORAGE,
            "concat(family.queues, family.poisonQueues)",
            "family.queues",
            "the queue probe-build-poison is not made",
        ),
        (
            STORAGE,
            "map(registry.families",
            "map(filter(registry.families, one => one.name == 'probe')",
            "the queue upgrade-building is not made",
        ),
        (STORAGE, "[registry.table]", "['windlas']", "the table windlass is not made"),
        (STORAGE, "[registry.table]", "[registry.table, 'other']", "the code knows no table other"),
        (STORAGE, "[registry.table]", "[registry.table, registry.table]", "the table windlass is made twice"),
        (
            STORAGE,
            "concat(registry.containers, [packageContainer])",
            "registry.containers",
            "the container the-package is not made",
        ),
        (
            STORAGE,
            "concat(registry.containers,",
            "concat(registry.logContainers,",
            "the container windlass-overflow is not made",
        ),
        (
            STORAGE,
            "queues@2023-05-01' = [for queue in queueNames: {",
            "queues@2023-05-01' = [for queue in unique(queueNames): {",
            "unique(…) cannot be told before a deployment",
        ),
        (REGISTRY, "probe-build-poison", "probe-built-poison", "infra/app/registry.json is not what the code says"),
        (MAIN, "@allowed([\n  'probe'\n", "@allowed([\n", "pipelines may be {\"upgrade\"}, but the families are"),
        (MAIN, "  'probe'\n]\n", "  'test'\n]\n", "a family test, which the code does not know"),
    ]);
}

#[test]
fn a_setting_that_nobody_reads_or_that_cannot_be_given_is_named() {
    each_is_named(&[
        (
            FUNCTION,
            "  WINDLASS_TABLE: registry.table",
            "  WINDLASS_TABEL: registry.table",
            "it sets WINDLASS_TABEL, which nobody reads",
        ),
        (
            FUNCTION,
            "  WINDLASS_TABLE: registry.table",
            "  'WINDLASS-TABLE': registry.table",
            "no setting of the name WINDLASS-TABLE",
        ),
        (
            FUNCTION,
            "  AZURE_CLOUD: ",
            "  AzureWebJobsStorage: ",
            "it sets AzureWebJobsStorage, though it would hold a key",
        ),
        (FUNCTION, "union(plainSettings, ", "union(", "UPGRADE_STRATEGY cannot be given"),
        (
            FUNCTION,
            "union(plainSettings, secretSettings, platformSettings, authSettings, disabledSettings, ownSettings)",
            "union(ownSettings, plainSettings, secretSettings, platformSettings, authSettings, disabledSettings)",
            "AZURE_CLIENT_ID can be given, though it is the app's own",
        ),
        (
            FUNCTION,
            "plainSettings, secretSettings, ",
            "plainSettings, ",
            "UPGRADE_GIT_TOKEN cannot be given by a secret's URI",
        ),
        (FUNCTION, "entry => !contains(secretNames, entry.key) && ", "entry => ", "it sets the secret"),
        (
            FUNCTION,
            " && !startsWith(entry.key, storagePrefix))",
            ")",
            "AzureWebJobsStorage__queueServiceUri can be given, though the app has its own account",
        ),
        (
            FUNCTION,
            "entry => !startsWith(entry.key, storagePrefix) && ",
            "entry => ",
            "AzureWebJobsStorage__queueServiceUri can be given by a secret's URI",
        ),
        (
            FUNCTION,
            "['FUNCTIONS_WORKER_RUNTIME', ",
            "[",
            "FUNCTIONS_WORKER_RUNTIME can be given, though the plan refuses it",
        ),
        (
            FUNCTION,
            ", 'FUNCTIONS_EXTENSION_VERSION']",
            "]",
            "FUNCTIONS_EXTENSION_VERSION can be given, though the plan refuses it",
        ),
        (
            FUNCTION,
            "key => !contains(plainSettings, key)",
            "key => contains(secretNames, key)",
            "leftOut does not name FUNCTIONS_WORKER_RUNTIME",
        ),
        (
            FUNCTION,
            "key => !contains(plainSettings, key)",
            "key => true",
            "leftOut names UPGRADE_STRATEGY, which is set",
        ),
        (FUNCTION, "key => !contains(secretSettings, key)", "key => false", "leftOut does not name WINDLASS_LOG"),
        (FUNCTION, "output leftOut", "output left", "it does not put out leftOut"),
        (
            FUNCTION,
            " && startsWith(entry.value, 'https://') && contains(entry.value, '/secrets/')",
            "",
            "WINDLASS_LOG is given something that is no secret's URI",
        ),
    ]);
}

#[test]
fn settings_that_the_handler_would_not_start_with_are_named() {
    each_is_named(&[
        (
            FUNCTION,
            "  AzureWebJobsStorage__accountName: account.name\n",
            "",
            "with nothing given: the handler would not start: AzureWebJobsStorage is not set",
        ),
        (
            FUNCTION,
            "  WINDLASS_AUTH_AUDIENCE: authAudience\n",
            "",
            "the handler would not start: WINDLASS_AUTH_AUDIENCE",
        ),
        (FUNCTION, "  AzureCloud: 'public'", "  AzureCloud: 'global'", "the handler would not start: AZURE_CLOUD"),
        (FUNCTION, "'entra'", "'dev_bypass'", "the handler would not start: WINDLASS_AUTH"),
    ]);
}

#[test]
fn a_function_that_is_disabled_or_not_against_its_family_is_named() {
    each_is_named(&[
        (
            FUNCTION,
            "authSettings, disabledSettings, ",
            "authSettings, ",
            "probe_build is not disabled though probe is not in use",
        ),
        (
            FUNCTION,
            "!contains(pipelines, family.name)",
            "contains(pipelines, family.name)",
            "upgrade_start is disabled though upgrade is in use",
        ),
        (
            FUNCTION,
            ".Disabled', function => 'true'",
            ".Disabled', function => 'false'",
            "upgrade_start is not disabled",
        ),
        (FUNCTION, "AzureWebJobs.${function}.Disabled", "AzureWebJobs-${function}.Disabled", "nobody reads"),
    ]);
}

#[test]
fn a_role_that_is_not_what_the_calls_need_is_named() {
    each_is_named(&[
        (
            RBAC,
            "7f951dda-4ed3-4680-a7ca-43fe172d538d",
            "8311e382-0749-4cb8-b61a-304f252e45ec",
            "nothing needs the role AcrPull (8311e382",
        ),
        (
            RBAC,
            "7f951dda-4ed3-4680-a7ca-43fe172d538d",
            "8311e382-0749-4cb8-b61a-304f252e45ec",
            "AcrPull on registry is needed and not granted",
        ),
        (RBAC, "name: 'AcrPull'", "name: 'AcrPush'", "is the role AcrPull, not AcrPush"),
        (
            RBAC,
            "7f951dda-4ed3-4680-a7ca-43fe172d538d",
            "c2f4ef07-c644-48eb-af81-4b1b4947fb11",
            "is granted on registry more than once",
        ),
        (
            RBAC,
            "reason: 'Retention deletes images that nobody needs any more.'",
            "reason: ''",
            "AcrDelete has no reason",
        ),
        (
            RBAC,
            "    scope: 'containerApp'\n    family: 'upgrade'",
            "    scope: 'containerApp'\n    family: 'probe'",
            "Container Apps Contributor is for 'probe'",
        ),
        (EXISTING, "one.scope == 'registry'", "one.scope == 'registries'", "no assignment takes the roles on registry"),
        (
            EXISTING,
            "guid(registry.id, principalId, item.role)",
            "guid(registry.id, principalId)",
            "name of the assignment onRegistry",
        ),
        (EXISTING, "scope: registry\n", "scope: containerApp\n", "name of the assignment onRegistry"),
        (
            RBAC,
            "'Microsoft.Authorization/roleDefinitions', item.role)",
            "'Microsoft.Authorization/roleDefinitions', 'b24988ac-6180-42a0-ab88-20f7382dd24c')",
            "stands outside of the list of roles",
        ),
    ]);
}

#[test]
fn a_way_in_by_key_password_or_plain_text_is_named() {
    each_is_named(&[
        (
            STORAGE,
            "allowBlobPublicAccess: false",
            "allowBlobPublicAccess: true",
            "must say properties.allowBlobPublicAccess: false",
        ),
        (
            STORAGE,
            "minimumTlsVersion: 'TLS1_2'",
            "minimumTlsVersion: 'TLS1_0'",
            "must say properties.minimumTlsVersion: 'TLS1_2'",
        ),
        (
            STORAGE,
            "publicAccess: 'None'",
            "publicAccess: 'Blob'",
            "containers must say properties.publicAccess: 'None'",
        ),
        (
            MONITORING,
            "DisableLocalAuth: true",
            "DisableLocalAuth: false",
            "insights must say properties.DisableLocalAuth: true",
        ),
        (FUNCTION, "httpsOnly: true", "httpsOnly: false", "site must say properties.httpsOnly: true"),
        (
            FUNCTION,
            "minTlsVersion: '1.2'",
            "minTlsVersion: '1.2'\n      ftpsState: 'Disabled'",
            "site must not say properties.siteConfig.ftpsState: Flex Consumption refuses it",
        ),
        (FUNCTION, "allow: false", "allow: true", "ftp must say properties.allow: false"),
        (FUNCTION, "name: 'scm'", "name: 'ftp'", "turns the publishing credentials of scm off"),
        (FUNCTION, "name: 'ftp'", "name: 'scm'", "turns the publishing credentials of ftp off"),
        (
            FUNCTION,
            "insights.properties.ConnectionString",
            "listKeys(insights.id, '2020-02-02').key",
            "listKeys(…) brings a key out",
        ),
    ]);
}

#[test]
fn what_azd_would_take_wrongly_is_named() {
    let (zip, tag) = ("dist: windlass.zip", "union(tags, { 'azd-service-name': 'windlass' })");
    each_is_named(&[
        (AZD, zip, "dist: dist", "dist must name a zip"),
        (AZD, zip, "dist: other.zip", "its hook must make other.zip"),
        (AZD, "--out windlass.zip", "--out windlass.zip && rm -rf dist", "its hook must make windlass.zip"),
        (FUNCTION, tag, "tags", "the site must bear the tag azd-service-name"),
        (FUNCTION, "  tags: tags\n  kind: 'functionapp'\n", PLAN_WITH_TAG, "the site alone may bear the tag"),
        (MAIN, "  tags: tags\n}\n\nmodule storage", IDENTITY_WITH_TAG, "the site alone may bear the tag"),
        (FUNCTION, "'azd-service-name': 'windlass'", "'azd-service-name': 'other'", "azure.yaml has no service other"),
    ]);
}

const PLAN_WITH_TAG: &str = "  tags: union(tags, { 'azd-service-name': 'windlass' })\n  kind: 'functionapp'\n";
const IDENTITY_WITH_TAG: &str = "  tags: { 'azd-service-name': 'windlass' }\n}\n\nmodule storage";

#[test]
fn an_alert_that_would_miss_late_records_is_named() {
    each_is_named(&[
        (MONITORING, "'PT30M'", "'PT15M'", "the window of failed-runs must be longer"),
        (MONITORING, "'PT30M'", "'PT15M'", "the window of poison must be longer"),
        (MONITORING, "evaluationFrequency: 'PT15M'", "evaluationFrequency: 'PT30M'", "the window of poison must be"),
    ]);
}

#[test]
fn a_file_that_is_missing_is_named() {
    let copy = Copy::new();
    std::fs::remove_file(copy.root().join(RBAC)).unwrap();
    let faults = copy.faults();
    assert!(faults.contains(&format!("{RBAC} is missing")), "{faults:?}");
}
