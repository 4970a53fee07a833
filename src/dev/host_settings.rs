//! Settings of the Functions host and of what runs beneath it that matter to Windlass, though it does not declare them.

/// One name, or a family of names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostSetting {
    pub name: &'static str,
    pub read_by: &'static str,
    pub description: &'static str,
}

const fn setting(name: &'static str, read_by: &'static str, description: &'static str) -> HostSetting {
    HostSetting { name, read_by, description }
}

const HOST: &str = "the Functions host";

pub const HOST_SETTINGS: &[HostSetting] = &[
    setting(
        "AzureWebJobs.<function>.Disabled",
        "the Functions host and `src/config/functions.rs`",
        "`true` or `1`: the function is not triggered, and its route answers 404. Where the platform allows no dots in \
         names, it comes as `AzureWebJobs_<function>_Disabled`; `AzureWebJobs__<function>__Disabled` is read by nobody. A \
         pipeline with a phase whose function is off is not started (`pipeline_disabled`), and what is in that phase stays.",
    ),
    setting(
        "AzureWebJobsStorage__credential",
        HOST,
        "`managedidentity`, wherever `AzureWebJobsStorage__clientId` names a user-assigned identity.",
    ),
    setting(
        "AzureWebJobsStorage__blobServiceUri, AzureWebJobsStorage__queueServiceUri, AzureWebJobsStorage__tableServiceUri",
        HOST,
        "Another way to name the account, which Windlass does not know: use `AzureWebJobsStorage__accountName`.",
    ),
    setting(
        "AzureFunctionsJobHost__<path>",
        HOST,
        "Overrides a value of `host.json`, such as `AzureFunctionsJobHost__extensions__queues__maxPollingInterval`.",
    ),
    setting(
        "FUNCTIONS_WORKER_RUNTIME",
        HOST,
        "`custom`. In a Flex Consumption plan the app's runtime says it, and this setting is not allowed.",
    ),
    setting("FUNCTIONS_EXTENSION_VERSION", "the platform", "`~4`; not in a Flex Consumption plan."),
    setting(
        "IDENTITY_HEADER",
        "the Azure SDK in the handler",
        "Set by Azure beside `IDENTITY_ENDPOINT`; proves to it that the caller is in the app.",
    ),
    setting(
        "HTTPS_PROXY, HTTP_PROXY, NO_PROXY",
        "the HTTP client in the handler",
        "A proxy on the way to Azure and to Entra. git is always reached directly.",
    ),
    setting(
        "TMPDIR",
        "`src/config/upgrade.rs`",
        "Where sources are fetched to unless `UPGRADE_WORKSPACE_DIR` says so.",
    ),
];
