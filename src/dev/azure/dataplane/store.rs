//! What has been pushed: manifests by digest, and the tags that point at them.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::manifest::Manifest;
use super::reference::Reference;

#[derive(Default)]
pub(in crate::dev::azure) struct Registry {
    pub(super) repositories: BTreeMap<String, Repository>,
    /// The time of the last push: no two are at the same time, so that there is always a newest.
    last: Option<OffsetDateTime>,
}

#[derive(Default)]
pub(super) struct Repository {
    /// By digest.
    pub(super) manifests: BTreeMap<String, Stored>,
    pub(super) tags: BTreeMap<String, Tag>,
}

pub(super) struct Stored {
    pub(super) manifest: Manifest,
    pub(super) created_at: OffsetDateTime,
    pub(super) updated_at: OffsetDateTime,
}

pub(super) struct Tag {
    pub(super) digest: String,
    pub(super) created_at: OffsetDateTime,
    pub(super) updated_at: OffsetDateTime,
}

impl Registry {
    /// The digest. A tag that exists moves; what it pointed at stays without it.
    pub(in crate::dev::azure) fn push(
        &mut self,
        repository: &str,
        tag: &str,
        manifest: Manifest,
        now: OffsetDateTime,
    ) -> String {
        let tick = time::Duration::nanoseconds(100);
        let at = self.last.map_or(now, |last| now.max(last + tick));
        self.last = Some(at);
        let digest = manifest.digest();
        let repository = self.repositories.entry(repository.to_owned()).or_default();
        let fresh = || Stored { manifest, created_at: at, updated_at: at };
        repository.manifests.entry(digest.clone()).or_insert_with(fresh).updated_at = at;
        let tag = repository.tags.entry(tag.to_owned());
        let tag = tag.or_insert_with(|| Tag { digest: digest.clone(), created_at: at, updated_at: at });
        (tag.digest, tag.updated_at) = (digest.clone(), at);
        digest
    }

    /// `repository:tag` to digest.
    pub(in crate::dev::azure) fn tagged(&self) -> BTreeMap<String, String> {
        let repositories = self.repositories.iter();
        let tags = repositories.flat_map(|(name, repository)| {
            repository.tags.iter().map(move |(tag, it)| (format!("{name}:{tag}"), it.digest.clone()))
        });
        tags.collect()
    }

    /// Whether `repository:tag`, `repository@digest` or `repository` (its tag latest) can be pulled.
    pub(in crate::dev::azure) fn holds(&self, image: &str) -> bool {
        self.digest_of(image).is_some()
    }

    fn digest_of(&self, image: &str) -> Option<String> {
        let (name, reference) = Reference::parse(image);
        let repository = self.repositories.get(name)?;
        repository.digest(&reference).map(str::to_owned)
    }

    /// Takes away a tag, or a manifest with all its tags. Whether there was one.
    pub(in crate::dev::azure) fn delete(&mut self, image: &str) -> bool {
        let (name, reference) = Reference::parse(image);
        match reference {
            Reference::Tag(tag) => self.untag(name, &tag),
            Reference::Digest(digest) => self.delete_manifest(name, &digest),
        }
    }

    pub(super) fn untag(&mut self, name: &str, tag: &str) -> bool {
        self.repositories.get_mut(name).is_some_and(|repository| repository.tags.remove(tag).is_some())
    }

    /// A repository ends with its last manifest.
    pub(super) fn delete_manifest(&mut self, name: &str, digest: &str) -> bool {
        let Some(repository) = self.repositories.get_mut(name) else { return false };
        let gone = repository.manifests.remove(digest).is_some();
        repository.tags.retain(|_, tag| tag.digest != digest);
        if repository.manifests.is_empty() {
            self.repositories.remove(name);
        }
        gone
    }
}

impl Repository {
    pub(super) fn digest(&self, reference: &Reference) -> Option<&str> {
        match reference {
            Reference::Tag(tag) => self.tags.get(tag).map(|tag| tag.digest.as_str()),
            Reference::Digest(digest) => self.manifests.get_key_value(digest).map(|(digest, _)| digest.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 03:00 UTC);

    #[test]
    fn a_tag_moves_and_what_it_left_stays_until_it_is_deleted() {
        let mut registry = Registry::default();
        let first = registry.push("a/b", "v1", Manifest::of("1"), NOW);
        let second = registry.push("a/b", "v1", Manifest::of("2"), NOW);
        assert_eq!(registry.tagged(), BTreeMap::from([("a/b:v1".to_owned(), second)]));
        assert!(registry.holds(&format!("a/b@{first}")));
        assert!(registry.delete(&format!("a/b@{first}")) && !registry.delete(&format!("a/b@{first}")));
        assert!(registry.delete("a/b:v1") && !registry.holds("a/b:v1"));
        assert!(registry.repositories.contains_key("a/b"), "an untagged manifest keeps it");
    }

    #[test]
    fn no_two_pushes_are_at_the_same_time() {
        let mut registry = Registry::default();
        for tag in ["a", "b", "c"] {
            registry.push("x", tag, Manifest::of(tag), NOW);
        }
        let tags = &registry.repositories["x"].tags;
        assert!(tags["a"].updated_at < tags["b"].updated_at && tags["b"].updated_at < tags["c"].updated_at);
    }
}
