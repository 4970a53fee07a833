use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::*;

const PLANTED: &str = "pl4nted-s3cret";
const TENANT: &str = "11111111-2222-3333-4444-555555555555";

type Settings = BTreeMap<String, String>;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What a function app with a storage account has at the least.
fn production() -> Settings {
    settings(&[
        ("FUNCTIONS_CUSTOMHANDLER_PORT", "45407"),
        ("AzureWebJobsStorage", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=pl4nted-s3cret"),
    ])
}

fn development() -> Settings {
    settings(&[
        ("FUNCTIONS_CUSTOMHANDLER_PORT", "45407"),
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development"),
        ("WINDLASS_STORAGE", "embedded"),
    ])
}

fn with(mut base: Settings, pairs: &[(&str, &str)]) -> Settings {
    base.extend(settings(pairs));
    base
}

fn faulty(environment: &Settings) -> BTreeSet<&'static str> {
    match Config::load(environment) {
        Ok(_) => BTreeSet::new(),
        Err(faults) => faults.faults.iter().map(|fault| fault.setting).collect(),
    }
}

#[test]
fn the_least_that_a_function_app_has_is_enough_and_lets_nobody_in() {
    let config = Config::load(&production()).unwrap();
    assert_eq!(config.server, ServerConfig { port: 45_407, mode: Mode::Production, instance: None });
    assert!(matches!(config.storage, StorageConfig::ConnectionString(_)));
    assert_eq!(config.table, "windlass");
    assert_eq!(config.auth, AuthConfig::default());
    assert_eq!(config.cloud.arm_endpoint.as_str(), "https://management.azure.com/");
    assert_eq!(config.cloud.arm_audience, "https://management.azure.com");
    assert_eq!(config.identity, IdentityConfig::Managed { client_id: None });
    assert_eq!(config.engine.lease, Duration::from_secs(90));
    assert_eq!(config.upgrade.git_remote, None);
    let names: Vec<_> = config.upgrade.components.iter().map(|c| (c.name.as_str(), c.image.as_str())).collect();
    assert_eq!(names, [("api", "elb-api"), ("frontend", "elb-frontend"), ("terminal", "elb-terminal")]);
    assert!(config.upgrade.workspace_dir.ends_with("windlass"));
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn all_faults_come_at_once_one_line_each() {
    let environment = settings(&[
        ("FUNCTIONS_CUSTOMHANDLER_PORT", "0"),
        ("AZURE_CLOUD", "moon"),
        ("AZURE_ARM_ENDPOINT", "http://arm.example"),
        ("WINDLASS_STORAGE", "tape"),
        ("WINDLASS_TABLE", "1table"),
        ("AzureWebJobsStorage__accountName", "Not_An_Account"),
        ("AZURE_CLIENT_ID", "me"),
        ("WINDLASS_AUTH", "entra,magic"),
        ("UPGRADE_ADMIN_OIDS", "someone@example.com"),
        ("UPGRADE_COMPONENTS", "api"),
        ("UPGRADE_GIT_REMOTE", "git@example.com:a/b.git"),
        ("PLATFORM_ACR_NAME", "reg.azurecr.io"),
        ("PLATFORM_RESOURCE_GROUP", "a/b"),
        ("PLATFORM_SUBSCRIPTION_ID", "sub"),
        ("WINDLASS_LEASE_SECONDS", "1"),
        ("WINDLASS_MAX_CRASHES", "many"),
        ("WINDLASS_LOG", "=,=loud"),
        ("WINDLASS_LOG_FORMAT", "xml"),
    ]);
    let mut expected: BTreeSet<_> =
        environment.keys().map(|name| SETTINGS.iter().find(|s| s.name == name).unwrap().name).collect();
    expected.extend(["WINDLASS_AUTH_TENANT_ID", "WINDLASS_AUTH_AUDIENCE"]);
    assert_eq!(faulty(&environment), expected);
    let faults = Config::load(&environment).unwrap_err();
    assert_eq!(faults.to_string().lines().count(), faults.faults.len());
}

#[test]
fn no_secret_is_printed_whether_it_fits_or_not() {
    let fits = with(production(), &[("UPGRADE_GIT_TOKEN", PLANTED), ("UPGRADE_GIT_REMOTE", "https://git.example/a")]);
    let config = Config::load(&fits).unwrap();
    assert!(!format!("{config:?}").contains(PLANTED));
    assert_eq!(config.upgrade.git_token.as_ref().map(Secret::expose), Some(PLANTED));

    let wrong = with(
        development(),
        &[
            ("AzureWebJobsStorage", PLANTED),
            ("UPGRADE_GIT_REMOTE", "https://user:pl4nted-s3cret@git.example/a"),
            ("AZURE_ARM_ENDPOINT", "https://user:pl4nted-s3cret@arm.example/"),
        ],
    );
    let faults = Config::load(&wrong).unwrap_err();
    assert_eq!(faults.faults.len(), 4, "{faults}");
    assert!(!format!("{faults} {faults:?}").contains(PLANTED), "{faults}");
}

#[test]
fn an_empty_or_blank_setting_is_an_unset_one() {
    let blank = with(production(), &[("WINDLASS_TABLE", ""), ("WINDLASS_LEASE_SECONDS", " \n"), ("AZURE_CLOUD", "")]);
    assert_eq!(Config::load(&blank).unwrap(), Config::load(&production()).unwrap());
    assert_eq!(
        faulty(&with(production(), &[("FUNCTIONS_CUSTOMHANDLER_PORT", "")])),
        ["FUNCTIONS_CUSTOMHANDLER_PORT"].into()
    );
}

#[test]
fn the_development_bypass_refuses_to_start_outside_development() {
    let bypass = [("WINDLASS_AUTH", "dev_bypass")];
    assert_eq!(faulty(&with(production(), &bypass)), ["WINDLASS_AUTH"].into());
    assert_eq!(
        faulty(&with(
            production(),
            &[("WINDLASS_AUTH", "dev_bypass"), ("AZURE_FUNCTIONS_ENVIRONMENT", "Development1")]
        )),
        ["WINDLASS_AUTH"].into()
    );
    let made_up = Config::load(&with(development(), &bypass)).unwrap().auth.dev_bypass.unwrap();
    assert_eq!(made_up.roles, ["UpgradeAdmin"]);
}

#[test]
fn embedded_storage_is_for_development_only() {
    let config = Config::load(&with(development(), &[("WINDLASS_DATA", "here")])).unwrap();
    assert_eq!(config.storage, StorageConfig::Embedded { dir: PathBuf::from("here") });
    assert_eq!(faulty(&with(production(), &[("WINDLASS_STORAGE", "embedded")])), ["WINDLASS_STORAGE"].into());
}

#[test]
fn an_account_name_selects_the_identity_and_contradicts_a_connection_string() {
    let identity = settings(&[
        ("FUNCTIONS_CUSTOMHANDLER_PORT", "1"),
        ("AzureWebJobsStorage__accountName", "account1"),
        ("AzureWebJobsStorage__clientId", TENANT),
    ]);
    let expected = StorageConfig::Identity { account: "account1".to_owned(), client_id: Some(TENANT.to_owned()) };
    assert_eq!(Config::load(&identity).unwrap().storage, expected);

    let both = with(production(), &[("AzureWebJobsStorage__accountName", "account1")]);
    assert_eq!(faulty(&both), ["AzureWebJobsStorage__accountName"].into());
    assert_eq!(faulty(&settings(&[("FUNCTIONS_CUSTOMHANDLER_PORT", "1")])), ["AzureWebJobsStorage"].into());
}

#[test]
fn each_cloud_has_its_endpoints_and_a_custom_one_needs_them_all() {
    let authority = |cloud: &str| {
        Config::load(&with(production(), &[("AZURE_CLOUD", cloud)])).unwrap().cloud.authority_host.to_string()
    };
    assert_eq!(authority("public"), "https://login.microsoftonline.com/");
    assert_eq!(authority("USGovernment"), "https://login.microsoftonline.us/");
    assert_eq!(authority("china"), "https://login.chinacloudapi.cn/");
    assert_eq!(
        faulty(&with(production(), &[("AZURE_CLOUD", "custom")])),
        ["AZURE_ARM_ENDPOINT", "AZURE_AUTHORITY_HOST", "AZURE_STORAGE_SUFFIX"].into()
    );
}

#[test]
fn plain_http_is_for_this_machine_in_development_only() {
    let custom = |arm| {
        [
            ("AZURE_CLOUD", "custom"),
            ("AZURE_ARM_ENDPOINT", arm),
            ("AZURE_AUTHORITY_HOST", "https://login.example"),
            ("AZURE_STORAGE_SUFFIX", "127.0.0.1:10000"),
        ]
    };
    let local = Config::load(&with(development(), &custom("http://127.0.0.1:7075"))).unwrap();
    assert_eq!(local.cloud.arm_audience, "http://127.0.0.1:7075");
    assert_eq!(faulty(&with(production(), &custom("http://127.0.0.1:7075"))), ["AZURE_ARM_ENDPOINT"].into());
    for elsewhere in ["http://arm.example", "http://127.0.0.1.example", "http://10.0.0.1", "ftp://127.0.0.1"] {
        assert_eq!(faulty(&with(development(), &custom(elsewhere))), ["AZURE_ARM_ENDPOINT"].into(), "{elsewhere}");
    }
}

#[test]
fn the_credential_is_chosen_by_what_azure_sets() {
    let identity = |pairs: &[(&str, &str)]| Config::load(&with(production(), pairs)).unwrap().identity;
    let managed = IdentityConfig::Managed { client_id: Some(TENANT.to_owned()) };
    assert_eq!(identity(&[("IDENTITY_ENDPOINT", "http://localhost/msi"), ("AZURE_CLIENT_ID", TENANT)]), managed);
    assert_eq!(
        identity(&[("AZURE_FEDERATED_TOKEN_FILE", "/token"), ("AZURE_CLIENT_ID", TENANT), ("AZURE_TENANT_ID", TENANT)]),
        IdentityConfig::Workload {
            client_id: TENANT.to_owned(),
            tenant_id: TENANT.to_owned(),
            token_file: PathBuf::from("/token"),
        }
    );
    assert_eq!(Config::load(&development()).unwrap().identity, IdentityConfig::Developer);
    assert_eq!(
        faulty(&with(production(), &[("AZURE_FEDERATED_TOKEN_FILE", "/token")])),
        ["AZURE_CLIENT_ID", "AZURE_TENANT_ID"].into()
    );
}

#[test]
fn callers_are_configured_by_source() {
    let config = Config::load(&with(
        production(),
        &[
            ("WINDLASS_AUTH", " entra, EasyAuth ,"),
            ("WINDLASS_AUTH_TENANT_ID", "11111111-2222-3333-4444-55555555ABCD"),
            ("WINDLASS_AUTH_AUDIENCE", "api://windlass, 22222222-2222-3333-4444-555555555555"),
        ],
    ))
    .unwrap();
    let tenant = "11111111-2222-3333-4444-55555555abcd".to_owned();
    assert_eq!(
        config.auth,
        AuthConfig {
            entra: Some(EntraConfig {
                tenant_id: tenant.clone(),
                audiences: vec!["api://windlass".to_owned(), "22222222-2222-3333-4444-555555555555".to_owned()],
                client_ids: Vec::new(),
            }),
            easyauth: Some(EasyAuthConfig { tenant_id: Some(tenant) }),
            dev_bypass: None,
        }
    );
}

#[test]
fn settings_that_contradict_one_another_are_faults_and_useless_ones_warnings() {
    for (pairs, expected) in [
        (&[("PLATFORM_CONTAINER_APP", "platform")][..], &["PLATFORM_SUBSCRIPTION_ID", "PLATFORM_RESOURCE_GROUP"][..]),
        (&[("PLATFORM_ACR_NAME", "images"), ("PLATFORM_SUBSCRIPTION_ID", TENANT)], &["PLATFORM_RESOURCE_GROUP"]),
        (&[("AZURE_ARM_ENDPOINT", "https://arm.example")], &["AZURE_ARM_ENDPOINT"]),
        (&[("AZURE_CLOUD", "china"), ("AZURE_STORAGE_SUFFIX", "core.example")], &["AZURE_STORAGE_SUFFIX"]),
        (&[("AzureWebJobsStorage__clientId", TENANT)], &["AzureWebJobsStorage__clientId"]),
        (&[("WINDLASS_AUTH", "easyauth")], &["WINDLASS_AUTH_TENANT_ID"]),
    ] {
        assert_eq!(faulty(&with(production(), pairs)), expected.iter().copied().collect(), "{pairs:?}");
    }
    for pairs in [
        &[("UPGRADE_GIT_TOKEN", PLANTED)][..],
        &[("WINDLASS_AUTH_AUDIENCE", "api://windlass")],
        &[("AZURE_FUNCTIONS_ENVIRONMENT", "Developement")],
    ] {
        let warnings = Config::load(&with(production(), pairs)).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].starts_with(pairs[0].0), "{warnings:?}");
        assert!(!warnings[0].contains(PLANTED), "{warnings:?}");
    }
}

#[test]
fn a_word_that_is_not_known_is_answered_with_the_one_that_was_likely_meant() {
    for (name, word, meant) in [
        ("UPGRADE_STRATEGY", "in-place", "did you mean in_place?"),
        ("AZURE_CLOUD", "us-government", "did you mean usgovernment?"),
        ("WINDLASS_AUTH", "easyauth,entre", "did you mean entra?"),
    ] {
        let faults =
            Config::load(&with(production(), &[(name, word), ("WINDLASS_AUTH_TENANT_ID", TENANT)])).unwrap_err();
        assert!(faults.to_string().contains(meant), "{faults}");
    }
    let faults = Config::load(&with(production(), &[("UPGRADE_STRATEGY", "canary")])).unwrap_err();
    assert!(!faults.to_string().contains("did you mean"), "{faults}");
}

#[test]
fn a_log_filter_that_would_silence_everything_by_a_slip_is_a_fault() {
    for word in ["debgu", "info,wram", "windlass"] {
        assert_eq!(faulty(&with(production(), &[("WINDLASS_LOG", word)])), ["WINDLASS_LOG"].into(), "{word}");
    }
    for good in ["off", "WARN", "info,windlass::engine=debug", "warn,[delivery{run=\"x\"}]=debug"] {
        Config::load(&with(production(), &[("WINDLASS_LOG", good)])).unwrap();
    }
}

#[test]
fn a_name_that_is_no_setting_is_a_warning_with_the_one_that_was_likely_meant() {
    let slips = [
        ("WINDLASS_TABEL", "WINDLASS_TABLE"),
        ("UPGRADE_GIT_REMOT", "UPGRADE_GIT_REMOTE"),
        ("PLATFROM_ACR_NAME", "PLATFORM_ACR_NAME"),
        ("windlass_log", "WINDLASS_LOG"),
    ];
    for (name, meant) in slips {
        let warnings = Config::load(&with(production(), &[(name, "x"), ("OTHER_TABEL", "x")])).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].starts_with(name) && warnings[0].contains(&format!("did you mean {meant}?")),
            "{warnings:?}"
        );
    }
    let warnings = Config::load(&with(production(), &[("WINDLASS_BRAKE", "x")])).unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].starts_with("WINDLASS_BRAKE "), "{warnings:?}");
}

#[test]
fn a_slip_is_told_beside_the_fault_that_it_causes() {
    let slipped = [("WINDLASS_AUTH", "easyauth"), ("WINDLASS_AUTH_TENENT_ID", TENANT)];
    let faults = Config::load(&with(production(), &slipped)).unwrap_err();
    let lines: Vec<_> = faults.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "{faults}");
    assert!(lines[0].starts_with("WINDLASS_AUTH_TENANT_ID is not set"), "{faults}");
    assert!(lines[1].contains("did you mean WINDLASS_AUTH_TENANT_ID?"), "{faults}");
}

#[test]
fn a_key_vault_reference_is_one_fault_whatever_the_setting_and_never_a_value() {
    const REFERENCE: &str = "@Microsoft.KeyVault(VaultName=vault1;SecretName=the-secret)";
    for setting in SETTINGS {
        let environment = with(production(), &[(setting.name, REFERENCE)]);
        let faults = Config::load(&environment).unwrap_err();
        assert!(faults.faults.iter().any(|fault| fault.setting == setting.name), "{faults}");
        assert_eq!(faults.faults.iter().filter(|fault| fault.setting == setting.name).count(), 1, "{faults}");
        assert!(faults.to_string().contains("'the-secret' in vault 'vault1'"), "{faults}");
    }
}

#[test]
fn a_setting_says_which_file_declares_and_reads_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for setting in SETTINGS {
        let text = std::fs::read_to_string(folder.join(setting.file)).unwrap();
        assert!(text.contains(&format!("\"{}\"", setting.name)), "{} is not in {}", setting.name, setting.file);
    }
}

/// Notes what it is asked for.
struct Recording {
    settings: Settings,
    asked: RefCell<BTreeSet<String>>,
}

impl Environment for Recording {
    fn get(&self, name: &str) -> Option<String> {
        self.asked.borrow_mut().insert(name.to_owned());
        self.settings.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

#[test]
fn the_loaders_read_exactly_the_settings_of_the_table() {
    let table: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.name.to_owned()).collect();
    assert_eq!(table.len(), SETTINGS.len(), "a name stands twice");
    for settings in [production(), development(), Settings::new()] {
        let recording = Recording { settings, asked: RefCell::default() };
        let _ = Config::load(&recording);
        assert_eq!(*recording.asked.borrow(), table);
    }
}

#[test]
fn every_default_fits_its_own_rule() {
    let mut defaults = production();
    for setting in SETTINGS {
        if let Some(default) = setting.default {
            defaults.insert(setting.name.to_owned(), default.to_owned());
        }
    }
    assert_eq!(Config::load(&defaults).unwrap(), Config::load(&production()).unwrap());
}
