//! What can be wrong with a document.

/// Why a document was refused, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{fault} (byte {at})")]
pub struct StrictJsonError {
    /// What is wrong.
    pub fault: Fault,
    /// Offset in bytes from the start of the document.
    pub at: usize,
}

/// What is wrong with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not JSON at all, or cut off.
    #[error("not well-formed JSON")]
    Syntax,
    /// Bytes that are no UTF-8 (RFC 8259 §8.1).
    #[error("not UTF-8")]
    InvalidUtf8,
    /// `\ud800` without its other half (RFC 8259 §8.2).
    #[error("a lone surrogate in a string")]
    LoneSurrogate,
    /// A number that no f64 can hold (RFC 8259 §6).
    #[error("a number too large to be kept")]
    NumberTooLarge,
    /// Two members of one object have the same name.
    #[error("two members of one object have the same name")]
    DuplicateMember,
    /// A control character in a member's name.
    #[error("a control character in a member's name")]
    ControlInMember,
    /// More than [`super::MAX_DEPTH`] levels.
    #[error("nested too deeply")]
    TooDeep,
    /// More than [`super::MAX_MEMBERS`] members in one object.
    #[error("an object has too many members")]
    TooManyMembers,
    /// Something behind the value.
    #[error("data behind the JSON value")]
    TrailingData,
    /// Well-formed, but not of the expected shape.
    #[error("not of the expected shape")]
    Shape,
}
