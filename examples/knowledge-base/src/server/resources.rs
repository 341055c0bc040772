use rmcp::{
    ErrorData,
    model::{
        ListResourceTemplatesResult, ListResourcesResult, PaginatedRequestParams,
        ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
    },
};

use crate::{Error, address, index::Entry, index::Index};

/// Documents by path, then notes by age; the cursor is the number of those already given.
pub(super) async fn list(
    index: &Index,
    request: Option<PaginatedRequestParams>,
) -> Result<ListResourcesResult, ErrorData> {
    let offset = match request.and_then(|request| request.cursor) {
        None => 0,
        Some(cursor) => cursor.parse().map_err(|_| {
            ErrorData::invalid_params("the cursor was not given by this server", None)
        })?,
    };
    let mut entries = index.list(offset, PAGE + 1).await.map_err(refuse)?;
    let more = entries.len() > PAGE as usize;
    entries.truncate(PAGE as usize);
    let mut result =
        ListResourcesResult::with_all_items(entries.into_iter().map(resource).collect());
    result.next_cursor = more.then(|| offset.saturating_add(PAGE).to_string());
    Ok(result)
}

pub(super) fn templates() -> ListResourceTemplatesResult {
    ListResourceTemplatesResult::with_all_items(vec![
        ResourceTemplate::new(address::DOCUMENT_TEMPLATE, "document")
            .with_title("Document")
            .with_description("A document by its path, such as docs/connect.md")
            .with_mime_type(MARKDOWN),
        ResourceTemplate::new(address::NOTE_TEMPLATE, "note")
            .with_title("Note")
            .with_description("A note by its number")
            .with_mime_type(MARKDOWN),
    ])
}

pub(super) async fn read(index: &Index, uri: &str) -> Result<ReadResourceResponse, ErrorData> {
    let path = address::path(uri)
        .filter(|_| uri.contains("://"))
        .ok_or_else(|| {
            ErrorData::resource_not_found(format!("“{uri}” is no kb:// URI of this server"), None)
        })?;
    let page = index.read(&path).await.map_err(|error| match error {
        Error::Request(message) => ErrorData::resource_not_found(message, None),
        other => refuse(other),
    })?;
    let contents = ResourceContents::text(page.text, uri).with_mime_type(MARKDOWN);
    Ok(ReadResourceResult::new(vec![contents]).into())
}

fn resource(entry: Entry) -> Resource {
    Resource::new(address::uri(&entry.path), entry.path)
        .with_title(entry.title)
        .with_mime_type(MARKDOWN)
        .with_size(entry.size.unsigned_abs())
}

pub(super) fn refuse(error: Error) -> ErrorData {
    match error {
        Error::Request(message) => ErrorData::invalid_params(message, None),
        other => {
            tracing::warn!(error = %other, "a request failed");
            ErrorData::internal_error(other.to_string(), None)
        }
    }
}

pub(super) const MARKDOWN: &str = "text/markdown";
const PAGE: u32 = 100;
