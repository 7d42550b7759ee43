//! Record dates: moved by the calendar, fixed by a snapshot of the registrar's node once they are over.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: a panic is its report"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sudare_api::access::Role;
use sudare_api::masters::Kind;
use tokio::task::JoinHandle;

use support::register::Book;
use support::{Database, HOUSE, ISIN, World, databases, smallest, sqlite, world_as};

const REGISTRAR: (Role, &str) = (Role::Registrar, HOUSE);
/// The end of a day in Japan, in microseconds since the Unix epoch: 2026-01-01T15:00:00Z.
const JANUARY_1_ENDS: i64 = 1_767_279_600_000_000;
const DAY: i64 = 86_400_000_000;

/// A registrar's API that is carried, with a product that has record dates.
struct Registry {
    world: World,
    book: Arc<Book>,
    carrying: JoinHandle<()>,
    product: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

impl Registry {
    async fn new(database: &Database, dates: Value) -> Self {
        let book = Arc::new(Book::new());
        let node = book.clone();
        let world = world_as(database, |setup| setup.node = Some(node)).await;
        let mut product = smallest(Kind::BeneficialInterest);
        for (name, date) in dates.as_object().unwrap() {
            product[name] = date.clone();
        }
        let made = world.post(REGISTRAR, "/v1/beneficial-interests", "product", &product).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        let api = world.api.clone();
        let carrying = tokio::spawn(async move { api.carry().await });
        let product = made.id();
        Self { world, book, carrying, product }
    }

    /// It becomes that time, for API and node.
    fn becomes(&self, at: i64) {
        self.world.now.store(at, Ordering::Relaxed);
        self.book.becomes(u64::try_from(at / 1000).unwrap());
    }

    async fn dates(&self) -> Vec<Value> {
        let path = format!("/v1/beneficial-interests/{}/record-dates", self.product);
        let read = self.world.get(REGISTRAR, &path).await;
        assert_eq!(read.status, StatusCode::OK, "{read:?}");
        read.body["items"].as_array().unwrap().clone()
    }

    /// The record date once it has a state.
    async fn until(&self, number: u64, state: &str) -> Value {
        for _ in 0..2_000 {
            let dates = self.dates().await;
            let found = dates.iter().find(|one| one["number"] == number && one["state"] == state);
            if let Some(found) = found {
                return found.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{number} never becomes {state}: {:?}", self.dates().await);
    }

    async fn height(&self, query: &str) -> Value {
        let read = self.world.get(REGISTRAR, &format!("/v1/registers/{ISIN}{query}")).await;
        assert_eq!(read.status, StatusCode::OK, "{query}: {read:?}");
        read.body["as_of"].clone()
    }
}

#[tokio::test]
async fn a_record_date_that_is_over_is_fixed_once_by_a_snapshot() {
    for database in databases() {
        // A Saturday in the banks' holidays: it moves to Monday.
        let dates = json!({ "record_date_1": "2026-01-03", "record_date_2": "2030-01-04" });
        let registry = Registry::new(&database, dates).await;
        let coming = registry.until(1, "coming").await;
        assert_eq!(
            (&coming["date"], &coming["calendar"]),
            (&json!("2026-01-05"), &json!("JP-BANK/2"))
        );
        assert_eq!(coming["over_at"], "2026-01-05T15:00:00Z");
        registry.becomes(JANUARY_1_ENDS + 4 * DAY - 60_000_000);
        registry.book.grow();
        let before = registry.height("").await;
        assert_eq!((registry.book.snapshots_taken(), before.get("snapshot")), (0, None));
        registry.becomes(JANUARY_1_ENDS + 4 * DAY);
        registry.book.woken();
        let fixed = registry.until(1, "fixed").await;
        assert_eq!(
            (&fixed["date"], &fixed["snapshot"], &fixed["entries_after"]),
            (&json!("2026-01-05"), &json!(0), &json!(0))
        );
        assert_eq!(fixed["entry"], before["height"]);
        // Afterwards the date answers from the snapshot, whatever happens.
        registry.book.grow();
        let then = registry.height("?as_of=2026-01-05").await;
        assert_eq!(then["snapshot"]["number"], 0);
        assert_eq!(then["height"], before["height"].as_u64().unwrap() + 1);
        assert_ne!(registry.height("").await["height"], then["height"]);
        registry.becomes(JANUARY_1_ENDS + 5 * DAY);
        registry.book.woken();
        assert_eq!(registry.until(2, "coming").await["nominal"], "2030-01-04");
        assert_eq!(registry.book.snapshots_taken(), 1);
        // A change of the master changes nothing that is over.
        let path = format!("/v1/beneficial-interests/{}", registry.product);
        let mut product = smallest(Kind::BeneficialInterest);
        product["record_date_1"] = json!("2027-01-03");
        product["holiday_adjustment"] = json!("preceding");
        let changed = registry.world.put(REGISTRAR, &path, "\"v1\"", &product).await;
        assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
        assert_eq!(registry.until(1, "coming").await["date"], "2026-12-30");
        assert_eq!(registry.until(1, "fixed").await, fixed);
    }
}

#[tokio::test]
async fn a_record_date_for_which_it_is_too_late_is_missed() {
    let database = sqlite();
    // The log has moved since, more than a day ago.
    let dates = json!({ "record_date_1": "2025-12-29", "record_date_2": "2026-01-01", "holiday_adjustment": "none" });
    let registry = Registry::new(&database, dates).await;
    let missed = registry.until(1, "missed").await;
    assert!(missed.get("snapshot").is_none());
    assert_eq!(registry.book.snapshots_taken(), 0);
    // As of that day the log still answers.
    assert_eq!(registry.height("?as_of=2025-12-29").await["height"], 1);
    // Nothing has happened since the second was over, however long ago that is.
    registry.becomes(JANUARY_1_ENDS + 9 * DAY);
    registry.book.woken();
    let fixed = registry.until(2, "fixed").await;
    assert_eq!((&fixed["snapshot"], &fixed["entries_after"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn who_may_not_read_a_product_reads_no_record_dates() {
    let database = sqlite();
    let registry = Registry::new(&database, json!({ "record_date_1": "2030-01-04" })).await;
    let path = format!("/v1/beneficial-interests/{}/record-dates", registry.product);
    for (who, status) in [
        ((Role::Issuer, "other"), 200),
        ((Role::Custodian, "other"), 404),
        ((Role::Operator, HOUSE), 403),
    ] {
        assert_eq!(registry.world.get(who, &path).await.status.as_u16(), status, "{who:?}");
    }
}
