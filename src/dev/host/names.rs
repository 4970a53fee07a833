//! Which names the real host and the storage service accept.

/// `^[a-z][a-z0-9_-]{0,127}$` in either case, and not `host`.
pub fn is_function_name(name: &str) -> bool {
    name.len() <= 128
        && !name.eq_ignore_ascii_case("host")
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// `^([a-zA-Z][a-zA-Z0-9]{0,127}|\$return)$`.
pub fn is_binding_name(name: &str) -> bool {
    name == "$return"
        || name.len() <= 128
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// 3 to 63 of a-z, 0-9 and single dashes, none of these at an end.
pub fn is_queue_name(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}
