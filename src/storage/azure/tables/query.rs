//! Ranges of rows: the filter, and the pages that answer it.

use azure_core::http::Url;
use azure_core::http::headers::{HeaderName, Headers};

use super::Entity;

const NEXT_PARTITION: HeaderName = HeaderName::from_static("x-ms-continuation-nextpartitionkey");
const NEXT_ROW: HeaderName = HeaderName::from_static("x-ms-continuation-nextrowkey");

pub(in super::super) struct Page {
    pub(in super::super) entities: Vec<Entity>,
    pub(in super::super) next: Option<Place>,
}

/// Where the next page begins, in the service's own terms.
pub(in super::super) struct Place {
    partition: String,
    row: Option<String>,
}

impl Place {
    pub(super) fn read(headers: &Headers) -> Option<Self> {
        let partition = headers.get_optional_string(&NEXT_PARTITION)?;
        Some(Self { partition, row: headers.get_optional_string(&NEXT_ROW) })
    }
}

pub(super) fn narrow(url: &mut Url, partition: &str, after: &str, before: &str, most: usize, place: Option<&Place>) {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let (partition, after, before) = (quoted(partition), quoted(after), quoted(before));
    let filter = format!("PartitionKey eq {partition} and RowKey gt {after} and RowKey lt {before}");
    let mut query = url.query_pairs_mut();
    query.append_pair("$filter", &filter).append_pair("$top", &most.to_string());
    if let Some(place) = place {
        query.append_pair("NextPartitionKey", &place.partition);
        if let Some(row) = &place.row {
            query.append_pair("NextRowKey", row);
        }
    }
    drop(query);
    // Forms write a blank as a plus sign, which the service takes for one.
    let encoded = url.query().map(|query| query.replace('+', "%20"));
    url.set_query(encoded.as_deref());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled_and_blanks_are_not_pluses() {
        let mut url = Url::parse("http://x/t()").unwrap();
        let place = Place { partition: "1!8!cA--".into(), row: None };
        narrow(&mut url, "o'p", "a+b", "z", 5, Some(&place));
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs[0].1, "PartitionKey eq 'o''p' and RowKey gt 'a+b' and RowKey lt 'z'");
        assert!(
            url.query().is_some_and(|query| !query.contains('+') && query.contains("NextPartitionKey=1%218%21cA--"))
        );
    }
}
