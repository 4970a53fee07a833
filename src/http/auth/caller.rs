//! Somebody who was made out.

/// What kind of somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallerKind {
    User,
    /// A program with an identity of its own.
    App,
    /// Made up by the development bypass.
    Dev,
}

/// A caller. `oid` together with `tenant` identifies; everything that can be changed by its bearer is for display.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The object id, in lower case.
    pub oid: String,
    /// The tenant id, in lower case.
    pub tenant: String,
    /// Application roles, as assigned.
    pub roles: Vec<String>,
    pub kind: CallerKind,
    /// For display only: never decide by it.
    pub name: String,
}

impl Caller {
    /// Whether they may upgrade the platform: by the role UpgradeAdmin, in any case, or by being listed.
    pub fn is_upgrade_admin(&self, oids: &[String]) -> bool {
        self.roles.iter().any(|role| role.eq_ignore_ascii_case("UpgradeAdmin"))
            || oids.iter().any(|oid| oid.eq_ignore_ascii_case(&self.oid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(roles: &[&str]) -> Caller {
        Caller {
            oid: "0a1b".to_owned(),
            tenant: "t".to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            kind: CallerKind::User,
            name: "UpgradeAdmin".to_owned(),
        }
    }

    #[test]
    fn the_role_or_the_list_makes_an_admin() {
        assert!(caller(&["Reader", "upgradeadmin"]).is_upgrade_admin(&[]));
        assert!(caller(&[]).is_upgrade_admin(&["ffff".to_owned(), "0A1B".to_owned()]));
    }

    #[test]
    fn nothing_else_makes_an_admin() {
        assert!(!caller(&["UpgradeAdmins", "Upgrade Admin", ""]).is_upgrade_admin(&["0a1".to_owned(), String::new()]));
    }
}
