//! Names of images without their registry.

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Reference {
    Tag(String),
    Digest(String),
}

impl Reference {
    /// The last part of a path: a digest has an algorithm and a colon.
    pub(super) fn of(text: &str) -> Self {
        if text.contains(':') { Self::Digest(text.to_owned()) } else { Self::Tag(text.to_owned()) }
    }

    /// The repository, and what of it is meant. A digest counts more than a tag beside it.
    pub(super) fn parse(image: &str) -> (&str, Self) {
        let (name, digest) = match image.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (image, None),
        };
        let (name, tag) = name.split_once(':').unwrap_or((name, "latest"));
        (name, digest.map_or_else(|| Self::Tag(tag.to_owned()), |digest| Self::Digest(digest.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_by_tag_or_digest() {
        let tag = |tag: &str| Reference::Tag(tag.into());
        let digest = Reference::Digest("sha256:0a".into());
        assert_eq!(Reference::parse("a/b:v1"), ("a/b", tag("v1")));
        assert_eq!(Reference::parse("a"), ("a", tag("latest")));
        assert_eq!(Reference::parse("a@sha256:0a"), ("a", digest.clone()));
        assert_eq!(Reference::parse("a:v1@sha256:0a"), ("a", digest.clone()));
        assert_eq!((Reference::of("v1"), Reference::of("sha256:0a")), (tag("v1"), digest));
    }
}
