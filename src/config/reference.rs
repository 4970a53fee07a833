//! A reference to a secret in a Key Vault, as it stands in a setting.

const BEGINNING: &str = "@Microsoft.KeyVault(";

/// Which secret in which vault. Neither name is a secret.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Reference {
    pub vault: String,
    pub secret: String,
}

pub(super) fn is_reference(text: &str) -> bool {
    let beginning = text.trim_start().get(..BEGINNING.len());
    beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(BEGINNING))
}

impl Reference {
    pub fn parse(text: &str) -> Option<Self> {
        let inside = text.trim().get(BEGINNING.len()..)?.strip_suffix(')')?;
        let field = |wanted: &str| {
            let fields = inside.split(';').filter_map(|field| field.split_once('='));
            let mut found = fields.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
            found.next().map(|(_, value)| value.trim().to_owned())
        };
        let (vault, secret) = match field("SecretUri") {
            Some(address) => of_address(&address)?,
            None => (field("VaultName")?, field("SecretName")?),
        };
        // What is no name might be a secret that was pasted here.
        (is_name(&vault, 24) && is_name(&secret, 127)).then_some(Self { vault, secret })
    }
}

/// `https://<vault>.<domain>/secrets/<secret>`, with or without a version behind it.
fn of_address(address: &str) -> Option<(String, String)> {
    let address = url::Url::parse(address).ok()?;
    let vault = address.host_str()?.split('.').next()?.to_owned();
    let mut path = address.path_segments()?;
    let secret = path.next().filter(|kind| *kind == "secrets").and_then(|_| path.next())?.to_owned();
    Some((vault, secret))
}

fn is_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_a_reference_name_vault_and_secret() {
        let expected = Reference { vault: "vault1".to_owned(), secret: "git-token".to_owned() };
        for text in [
            "@Microsoft.KeyVault(SecretUri=https://vault1.vault.azure.net/secrets/git-token)",
            "@Microsoft.KeyVault(SecretUri=https://vault1.vault.azure.net/secrets/git-token/)",
            " @microsoft.keyvault(secreturi=https://vault1.vault.usgovcloudapi.net/secrets/git-token/0123abc) ",
            "@Microsoft.KeyVault(VaultName=vault1;SecretName=git-token)",
            "@Microsoft.KeyVault(SecretName=git-token; VaultName=vault1; SecretVersion=0123abc)",
        ] {
            assert!(is_reference(text), "{text}");
            assert_eq!(Reference::parse(text).as_ref(), Some(&expected), "{text}");
        }
    }

    #[test]
    fn what_names_no_secret_is_a_reference_that_cannot_be_read() {
        for text in [
            "@Microsoft.KeyVault()",
            "@Microsoft.KeyVault(VaultName=vault1)",
            "@Microsoft.KeyVault(VaultName=vault1;SecretName=git-token",
            "@Microsoft.KeyVault(VaultName=vault1;SecretName=gh_p/4+)",
            "@Microsoft.KeyVault(SecretUri=vault1/git-token)",
            "@Microsoft.KeyVault(SecretUri=https://vault1.vault.azure.net/keys/git-token)",
        ] {
            assert!(is_reference(text), "{text}");
            assert_eq!(Reference::parse(text), None, "{text}");
        }
        assert!(!is_reference("a token with @Microsoft.KeyVault( in it"));
        assert!(!is_reference("@Microsoft"));
    }
}
