//! Sends events to where institutions want them, signed (Standard Webhooks), in order, until they are taken.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::http::Api;
use crate::http::fetch::{Target, post};
use crate::store::{Secrets, StoreError, Webhook, events_of};

/// How a secret begins.
pub const SECRET: &str = "whsec_";
/// How many events go to one place before others have their turn.
const IN_A_ROW: usize = 20;
/// How long one may take to be taken.
const TAKEN_WITHIN: Duration = Duration::from_secs(15);
/// How long to wait when nothing happens.
const PAUSE: Duration = Duration::from_millis(250);
/// Seconds until an event is tried again, by how often it was; then the webhook is stopped, after some three days.
const AGAIN_AFTER_S: [i64; 14] =
    [1, 5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800, 43_200, 43_200, 86_400];

/// A connection that somebody has made and secured.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection on its way, or why there is none.
pub type Dialling<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Stream>, String>> + Send + 'a>>;

/// Makes connections to the world outside: [WHK-2] is its to keep.
pub trait Dial: fmt::Debug + Send + Sync {
    /// A secured connection to a target.
    fn dial<'a>(&'a self, target: &'a Target) -> Dialling<'a>;
}

/// A range of addresses, such as `10.1.0.0/16`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Range {
    address: IpAddr,
    bits: u8,
}

impl Range {
    /// Reads a range.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let bits: u8 = bits.parse().ok()?;
        (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some(Self { address, bits })
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let shift = |width: u32| width.saturating_sub(self.bits.into());
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(shift(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(shift(128)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// [WHK-2]: whether requests may go to an address: a public one, or one in a range that the configuration names.
#[must_use]
pub fn may_reach(address: IpAddr, named: &[Range]) -> bool {
    let address = address.to_canonical();
    if named.iter().any(|range| range.holds(address)) {
        return true;
    }
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// By IANA's registry of special-purpose addresses.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocol = a == 192 && b == 0 && c == 0;
    let relay = a == 192 && b == 88 && c == 99;
    let benchmark = a == 198 && (b == 18 || b == 19);
    !(a == 0
        || a >= 224
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || shared
        || protocol
        || relay
        || benchmark)
}

/// Global unicast alone, without what stands for IPv4 addresses or is for documentation.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let global = first & 0xe000 == 0x2000;
    let special = first == 0x2001 && (second < 0x0200 || second == 0x0db8);
    let six_to_four = first == 0x2002;
    let documentation = first == 0x3fff && second < 0x1000;
    global && !special && !six_to_four && !documentation
}

/// What is signed, and how: `v1,` and the MAC in base 64. None if the secret isn't one.
#[must_use]
pub fn signature(secret: &str, id: &str, timestamp: i64, body: &str) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix(SECRET)?).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(tag)))
}

impl Api {
    /// Sends events to webhooks until it is dropped. Of no use without somebody who dials.
    pub async fn deliver(&self) {
        let Some(dial) = self.dial().cloned() else { return };
        let mut newest = self.newest();
        loop {
            newest.mark_unchanged();
            match self.deliver_due(&dial).await {
                Ok(true) => continue,
                Ok(false) => (),
                Err(error) => tracing::error!(%error, "events were not sent"),
            }
            // The sender is a part of the API itself.
            let _ = timeout(PAUSE, newest.changed()).await;
        }
    }

    /// Sends what is due, all webhooks side by side; whether something was taken, so that more may be due.
    async fn deliver_due(&self, dial: &Arc<dyn Dial>) -> Result<bool, StoreError> {
        let mut tasks = JoinSet::new();
        for (webhook, secrets) in self.store().due_webhooks(self.time()).await? {
            let (api, dial) = (self.clone(), Arc::clone(dial));
            tasks.spawn(async move { api.deliver_to(webhook, &secrets, dial.as_ref()).await });
        }
        let mut taken = false;
        while let Some(task) = tasks.join_next().await {
            match task {
                Ok(one) => taken |= one?,
                Err(error) => tracing::error!(%error, "a webhook was not served"),
            }
        }
        Ok(taken)
    }

    async fn deliver_to(
        &self,
        mut webhook: Webhook,
        secrets: &Secrets,
        dial: &dyn Dial,
    ) -> Result<bool, StoreError> {
        let reach = events_of(&webhook.institution, self.house());
        let page = self.store().events(&reach, webhook.sent, IN_A_ROW).await?;
        if page.is_empty() {
            // All that has happened since is others'.
            webhook.sent = self.store().pin(None).await?.map_or(webhook.sent, |pin| pin.event);
            // Unless one of its own came between the two looks.
            if !self.store().events(&reach, webhook.sent, 1).await?.is_empty() {
                return Ok(true);
            }
            self.store().note_webhook(&webhook).await?;
            return Ok(false);
        }
        for operation in page {
            let number = operation.newest.number;
            let data = crate::http::operation_view(&operation);
            let sent = self.send(&webhook, secrets, number, &data, dial).await;
            match sent {
                Ok(()) => {
                    (webhook.sent, webhook.attempts, webhook.next_at) = (number, 0, 0);
                    webhook.problem = None;
                    self.store().note_webhook(&webhook).await?;
                }
                Err(why) => {
                    let tried = usize::try_from(webhook.attempts).unwrap_or(usize::MAX);
                    let pause = AGAIN_AFTER_S.get(tried);
                    let pause_us = pause.unwrap_or(&0).saturating_mul(1_000_000);
                    webhook.attempts = webhook.attempts.saturating_add(1);
                    webhook.next_at = self.time().saturating_add(pause_us);
                    webhook.stopped = pause.is_none();
                    webhook.problem = Some(why);
                    self.store().note_webhook(&webhook).await?;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Sends one event: [WHK-1].
    async fn send(
        &self,
        webhook: &Webhook,
        secrets: &Secrets,
        number: i64,
        operation: &Value,
        dial: &dyn Dial,
    ) -> Result<(), String> {
        let target = Target::parse(&webhook.url).ok_or("the URL can't be used")?;
        let now = self.time();
        let state = operation.get("state").and_then(Value::as_str).unwrap_or_default();
        let body = json!({
            "type": format!("operation.{state}"),
            "timestamp": operation.get("since"),
            "data": operation,
        });
        let (id, body) = (format!("event-{number}"), body.to_string());
        let timestamp = now.div_euclid(1_000_000);
        let former = secrets.former.iter().filter(|(_, until)| now < *until);
        let keys = std::iter::once(&secrets.secret).chain(former.map(|(secret, _)| secret));
        let signed: Option<Vec<String>> =
            keys.map(|secret| signature(secret, &id, timestamp, &body)).collect();
        let signed = signed.ok_or("the secret is damaged: renew it")?.join(" ");
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signed),
        ];
        let sent = async {
            let stream = dial.dial(&target).await?;
            post(stream, &target, &headers, body).await.map_err(|error| error.to_string())
        };
        let status = timeout(TAKEN_WITHIN, sent).await.map_err(|_| "no answer in time")??;
        if (200..300).contains(&status) {
            Ok(())
        } else {
            Err(format!("the server answers with status {status}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_of_the_standard() {
        // The example of the specification's own libraries.
        let signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert_eq!(signature("other", "a", 0, "b"), None);
    }

    #[test]
    fn only_public_addresses_and_named_ranges_are_reached() {
        let named =
            ["10.1.0.0/16", "fd00:1::/32", "127.0.0.1/32"].map(|text| Range::parse(text).unwrap());
        for (address, public, allowed) in [
            ("8.8.8.8", true, true),
            ("2606:4700::1111", true, true),
            ("10.1.2.3", false, true),
            ("10.2.0.1", false, false),
            ("127.0.0.1", false, true),
            ("127.0.0.2", false, false),
            ("0.0.0.0", false, false),
            ("169.254.169.254", false, false),
            ("172.16.0.1", false, false),
            ("172.32.0.1", true, true),
            ("192.168.1.1", false, false),
            ("192.0.0.8", false, false),
            ("192.88.99.1", false, false),
            ("198.18.0.1", false, false),
            ("198.51.100.1", false, false),
            ("100.64.0.1", false, false),
            ("100.128.0.1", true, true),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("::1", false, false),
            ("::", false, false),
            ("::ffff:10.2.0.1", false, false),
            ("::ffff:127.0.0.1", false, true),
            ("::ffff:8.8.8.8", true, true),
            ("64:ff9b::a00:1", false, false),
            ("2002:a00:1::", false, false),
            ("2001::1", false, false),
            ("2001:db8::1", false, false),
            ("fe80::1", false, false),
            ("fd00:1::1", false, true),
            ("fd00:2::1", false, false),
            ("ff02::1", false, false),
        ] {
            let one: IpAddr = address.parse().unwrap();
            assert_eq!(may_reach(one, &[]), public, "{address}");
            assert_eq!(may_reach(one, &named), allowed, "{address}");
        }
        for wrong in ["10.0.0.0", "10.0.0.0/33", "::/129", "a/8", "10.0.0.0/-1", ""] {
            assert_eq!(Range::parse(wrong), None, "{wrong}");
        }
        assert!(may_reach("10.9.9.9".parse().unwrap(), &[Range::parse("0.0.0.0/0").unwrap()]));
    }
}
