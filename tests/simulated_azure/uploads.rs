use std::time::Duration;

use reqwest::StatusCode;

use crate::lab::{Lab, archive, storage_code};

#[tokio::test]
async fn each_offer_is_a_blob_of_its_own_with_a_signature_that_needs_its_encoding() {
    let lab = Lab::open().await;
    let (first, relative) = lab.upload_offer().await;
    let (second, _) = lab.upload_offer().await;
    assert_ne!(first.split('?').next(), second.split('?').next());
    assert!(relative.starts_with("source/") && relative.ends_with(".tar.gz"), "{relative}");
    let sig = first.split("sig=").nth(1).unwrap();
    assert!(sig.contains("%2F") && sig.contains("%2B") && sig.ends_with("%3D"), "{sig}");
}

#[tokio::test]
async fn put_blob_wants_its_blob_type_and_no_other_credential() {
    let lab = Lab::open().await;
    let (url, _) = lab.upload_offer().await;
    let put = || lab.http.put(&url).body("x");
    assert_eq!(storage_code(put().send().await.unwrap(), 400).await, "MissingRequiredHeader");
    let page = put().header("x-ms-blob-type", "PageBlob").send().await.unwrap();
    assert_eq!(storage_code(page, 400).await, "InvalidHeaderValue");
    let doubled = put().header("x-ms-blob-type", "BlockBlob").bearer_auth("token").send().await.unwrap();
    assert_eq!(storage_code(doubled, 403).await, "AuthenticationFailed");
    let chunks = futures::stream::iter([Ok::<_, std::io::Error>("x")]);
    let unsized_body = reqwest::Body::wrap_stream(chunks);
    let chunked = lab.http.put(&url).header("x-ms-blob-type", "BlockBlob").body(unsized_body).send().await.unwrap();
    assert_eq!(storage_code(chunked, 411).await, "MissingContentLengthHeader");
    let good = put().header("x-ms-blob-type", "BlockBlob").send().await.unwrap();
    assert_eq!(good.status(), StatusCode::CREATED);
    for header in ["etag", "last-modified", "x-ms-request-id", "x-ms-version", "x-ms-request-server-encrypted"] {
        assert!(good.headers().contains_key(header), "{header}");
    }
}

#[tokio::test]
async fn a_changed_or_expired_link_opens_nothing() {
    let lab = Lab::open().await;
    let (url, relative) = lab.upload_offer().await;
    let (other, other_relative) = lab.upload_offer().await;
    let put = |url: String| lab.http.put(url).header("x-ms-blob-type", "BlockBlob").body("x").send();
    for broken in [
        url.replace(&relative, &other_relative),
        url.replace("sp=cw", "sp=racwd"),
        url.replace("%2B", "+"),
        url.replace("%2F", "%252F"),
        url.split("&sig=").next().unwrap().to_owned() + "&sig=AAAA",
    ] {
        assert_eq!(storage_code(put(broken).await.unwrap(), 403).await, "AuthenticationFailed");
    }
    let unsigned = other.split('?').next().unwrap().to_owned();
    assert_eq!(put(unsigned).await.unwrap().status(), 409);
    let read = lab.http.get(&url).send().await.unwrap();
    assert_eq!(storage_code(read, 403).await, "AuthorizationPermissionMismatch");
    lab.azure.skip(Duration::from_secs(3 * 60 * 60));
    assert_eq!(storage_code(put(url).await.unwrap(), 403).await, "AuthenticationFailed");
}

#[tokio::test]
async fn a_log_link_expires_and_a_new_one_goes_on() {
    let lab = Lab::open().await;
    let run = lab.build("elb-api:v1", &[("Dockerfile", "FROM scratch\n")]).await;
    let link = lab.log_link(&run).await;
    lab.finish(&run).await;
    lab.azure.skip(Duration::from_secs(3 * 60 * 60));
    let head = lab.http.head(&link).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), &head.headers()["x-ms-error-code"]),
        (403, &"AuthenticationFailed".parse().unwrap())
    );
    assert!(lab.log(&run).await.contains("was successful after"));
}

#[tokio::test]
async fn an_archive_that_was_never_uploaded_or_is_damaged_fails_the_run() {
    let lab = Lab::open().await;
    let (_, nothing) = lab.upload_offer().await;
    let whole = archive(&[("Dockerfile", &"# line\n".repeat(400))]);
    let half = lab.upload(whole[..whole.len() / 2].to_vec()).await;
    for (source, problem) in [(nothing, "failed to download context"), (half, "failed to download source code")] {
        let run = lab.queue(&crate::lab::request("elb-api:v1", &source)).await;
        let ended = lab.finish(&run).await;
        assert_eq!(ended["status"], "Failed");
        assert!(ended["runErrorMessage"].as_str().unwrap().starts_with(problem), "{ended}");
        assert!(lab.log(&run).await.contains(problem));
    }
}
