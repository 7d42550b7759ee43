//! What went wrong with a request, for programs and people (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::masters::FieldError;
use crate::signed::Refused;
use crate::store::StoreError;

/// Why a request was not done. Codes never change their meaning; [`Problem::ALL`] has a page each.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Problem {
    /// The request is not what the operation takes; says what is wrong.
    Malformed(String),
    /// Fields of the body are wrong.
    Invalid(Vec<FieldError>),
    /// The client certificate is not one of the node's clients.
    UnknownClient,
    /// The token is not good, or not over this connection.
    TokenRefused,
    /// Log-on, activation or change of a password is refused; not why.
    LogOnRefused,
    /// The right password, but too old.
    PasswordExpired,
    /// The client must sign what changes something.
    SignatureRequired,
    /// The signature doesn't hold; says why.
    SignatureRefused(Refused),
    /// The digest isn't the body's.
    DigestMismatch,
    /// The client's role does not do this.
    Forbidden,
    /// There is no such thing, or not for this client.
    NotFound,
    /// The path takes other methods.
    MethodNotAllowed,
    /// The body is not JSON by its header.
    UnsupportedMediaType,
    /// The body is too long.
    TooLarge,
    /// A POST without an idempotency key.
    KeyMissing,
    /// The idempotency key was used for another request.
    KeyReused,
    /// A change without `If-Match`.
    PreconditionRequired,
    /// The row has changed since it was read.
    Stale,
    /// The second person of two would be the first again, or a proposal is another person's to take back.
    SamePerson,
    /// A proposal that is no longer open.
    Decided,
    /// Investor, product or market take no such instruction now; says why.
    GateClosed(&'static str),
    /// What is asked for can't be done as things stand; says why.
    Impossible(&'static str),
    /// The same for a reason that people have given, or that has numbers in it; nothing personal.
    Refused(String),
    /// More requests than the client may make; seconds until the next one.
    TooMany(u64),
    /// The access log takes no entry, without which personal data is not handled.
    NotRecorded,
    /// The node failed.
    Internal,
}

/// A kind of problem as its page says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct About {
    /// The last segment of its type.
    pub code: &'static str,
    /// The status.
    pub status: StatusCode,
    /// What happened.
    pub title: &'static str,
    /// What to do next.
    pub next: &'static str,
}

impl Problem {
    /// All kinds.
    pub const ALL: [About; 25] = [
        about(
            "malformed",
            StatusCode::BAD_REQUEST,
            "The request is not what the operation takes.",
            "Compare it with /openapi.json; `detail` says where it differs.",
        ),
        about(
            "invalid",
            StatusCode::UNPROCESSABLE_ENTITY,
            "Fields of the body are wrong.",
            "Correct the fields that `errors` names and send the request again, with the same idempotency key if it has one.",
        ),
        about(
            "unknown-client",
            StatusCode::UNAUTHORIZED,
            "The client certificate is not registered here.",
            "Have the node's operator add the certificate's SHA-256 to the clients of the API.",
        ),
        about(
            "token-refused",
            StatusCode::UNAUTHORIZED,
            "The token is not good here and now.",
            "Get a new one: log on again, or ask the issuer for one that is bound to this connection's certificate.",
        ),
        about(
            "log-on-refused",
            StatusCode::UNAUTHORIZED,
            "That is not a user who can log on now, or not his password or codes.",
            "Check institution, login and password; after several failures wait for the lock to end, or have two administrators reset the user.",
        ),
        about(
            "password-expired",
            StatusCode::FORBIDDEN,
            "The password is too old.",
            "Change it with POST /v1/passwords, then log on with the new one.",
        ),
        about(
            "signature-required",
            StatusCode::UNAUTHORIZED,
            "The client signs what changes something, and this request isn't signed.",
            "Sign it as RFC 9421 says, with a key of the client's.",
        ),
        about(
            "signature-refused",
            StatusCode::UNAUTHORIZED,
            "The signature doesn't hold, so nothing was done.",
            "`detail` says why. Sign the request as it is sent, with a key of the client's, just before it is sent.",
        ),
        about(
            "digest-mismatch",
            StatusCode::BAD_REQUEST,
            "The digest is not that of the body.",
            "Send `Content-Digest` with the body's `sha-256` or `sha-512` (RFC 9530), or none.",
        ),
        about(
            "forbidden",
            StatusCode::FORBIDDEN,
            "The client's role does not do this.",
            "See the matrix of roles in specs/api.md; have another client do it, or its role changed.",
        ),
        about(
            "not-found",
            StatusCode::NOT_FOUND,
            "There is no such thing for this client.",
            "Check the path and id. What belongs to others looks absent.",
        ),
        about(
            "method-not-allowed",
            StatusCode::METHOD_NOT_ALLOWED,
            "The path takes other methods.",
            "See the `Allow` header and /openapi.json.",
        ),
        about(
            "unsupported-media-type",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The body is not declared as what the operation takes.",
            "Send `Content-Type: application/json`, or `text/csv` or `application/xml` with a part of a file.",
        ),
        about(
            "too-large",
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is too long.",
            "Send at most 65536 bytes; of a file, at most 1048576.",
        ),
        about(
            "idempotency-key-missing",
            StatusCode::BAD_REQUEST,
            "A POST needs an idempotency key.",
            "Send `Idempotency-Key` with a new random text of up to 64 characters, and the same one when you try again.",
        ),
        about(
            "idempotency-key-reused",
            StatusCode::UNPROCESSABLE_ENTITY,
            "The idempotency key was used for another request.",
            "Take a new key for a new request.",
        ),
        about(
            "precondition-required",
            StatusCode::PRECONDITION_REQUIRED,
            "A change must say which version it changes.",
            "Read the row and send its `ETag` as `If-Match`.",
        ),
        about(
            "stale",
            StatusCode::PRECONDITION_FAILED,
            "The row has changed since it was read.",
            "Read it again, decide again, and send the new `ETag` as `If-Match`.",
        ),
        about(
            "same-person",
            StatusCode::FORBIDDEN,
            "Two different people must do this, or only its proposer.",
            "Have somebody else of the role decide; he who proposed can only withdraw, and only he.",
        ),
        about(
            "decided",
            StatusCode::CONFLICT,
            "The proposal is no longer open.",
            "Read it to see what became of it; propose it again if it is still wanted.",
        ),
        about(
            "gate-closed",
            StatusCode::CONFLICT,
            "Investor, product or market take no such instruction now.",
            "`detail` says which. Instruct again once that has changed.",
        ),
        about(
            "impossible",
            StatusCode::CONFLICT,
            "It can't be done as things stand.",
            "`detail` says why. Change that, or withdraw what can't be done.",
        ),
        about(
            "too-many-requests",
            StatusCode::TOO_MANY_REQUESTS,
            "The client makes more requests than it may.",
            "Wait as long as `Retry-After` says.",
        ),
        about(
            "not-recorded",
            StatusCode::SERVICE_UNAVAILABLE,
            "The access could not be recorded, so nothing personal was shown or changed.",
            "Try again with the same idempotency key; if it lasts, have the node's operator look at the node and its disk.",
        ),
        about(
            "internal",
            StatusCode::INTERNAL_SERVER_ERROR,
            "The node failed.",
            "Try again with the same idempotency key; give the operator the `trace_id`.",
        ),
    ];

    /// Its kind.
    #[must_use]
    pub fn about(&self) -> About {
        let code = match self {
            Self::Malformed(_) => "malformed",
            Self::Invalid(_) => "invalid",
            Self::UnknownClient => "unknown-client",
            Self::TokenRefused => "token-refused",
            Self::LogOnRefused => "log-on-refused",
            Self::PasswordExpired => "password-expired",
            Self::SignatureRequired => "signature-required",
            Self::SignatureRefused(_) => "signature-refused",
            Self::DigestMismatch => "digest-mismatch",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::TooLarge => "too-large",
            Self::KeyMissing => "idempotency-key-missing",
            Self::KeyReused => "idempotency-key-reused",
            Self::PreconditionRequired => "precondition-required",
            Self::Stale => "stale",
            Self::SamePerson => "same-person",
            Self::Decided => "decided",
            Self::GateClosed(_) => "gate-closed",
            Self::Impossible(_) | Self::Refused(_) => "impossible",
            Self::TooMany(_) => "too-many-requests",
            Self::NotRecorded => "not-recorded",
            Self::Internal => "internal",
        };
        let [.., internal] = Self::ALL;
        Self::ALL.into_iter().find(|about| about.code == code).unwrap_or(internal)
    }

    /// The answer to the request with this trace id.
    #[must_use]
    pub fn answer(&self, trace_id: &str) -> Response {
        let about = self.about();
        let refused;
        let (detail, errors) = match self {
            Self::SignatureRefused(why) => {
                refused = why.to_string();
                (Some(refused.as_str()), None)
            }
            Self::Malformed(detail) | Self::Refused(detail) => (Some(detail.as_str()), None),
            Self::GateClosed(detail) | Self::Impossible(detail) => (Some(*detail), None),
            Self::Invalid(errors) => (None, Some(errors)),
            _ => (None, None),
        };
        let members = json!({
            "type": format!("/problems/{}", about.code),
            "title": about.title,
            "status": about.status.as_u16(),
            "next": about.next,
            "trace_id": trace_id,
            "detail": detail,
            "errors": errors,
        });
        let body: Map<String, Value> = match members {
            Value::Object(members) => {
                members.into_iter().filter(|(_, one)| !one.is_null()).collect()
            }
            _ => Map::new(),
        };
        let mut answer = (about.status, Value::Object(body).to_string()).into_response();
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(self, Self::TokenRefused) {
            let value = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        if let Self::TooMany(seconds) = self {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
        }
        answer
    }
}

/// What the database failed at is for the operator, not for clients.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a request of the API failed");
        match error {
            StoreError::Unrecorded(_) => Self::NotRecorded,
            _ => Self::Internal,
        }
    }
}

/// Carried to where the trace id is known, which makes the answer.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut answer = self.about().status.into_response();
        answer.extensions_mut().insert(self);
        answer
    }
}

const fn about(
    code: &'static str,
    status: StatusCode,
    title: &'static str,
    next: &'static str,
) -> About {
    About { code, status, title, next }
}
