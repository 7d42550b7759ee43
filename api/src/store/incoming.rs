//! Files of messages in the database: what they instruct is kept as operations, with what became of each message.

use uuid::Uuid;

use super::imports::{BATCH, Work};
use super::operations::{keep, want};
use super::{Change, Store, StoreError};
use crate::access::Client;
use crate::flows::{Flow, Order, Request, Standing};
use crate::imports::{Class, Outcome, Read, Rows};
use crate::masters::FieldError;

/// A message's number in its file, from 1, and what was made of it, or what is wrong with it.
pub type Numbered<T> = (i64, Result<T, Vec<FieldError>>);

/// What a message asks for, as it can be done.
#[derive(Clone, Debug)]
pub enum Prepared {
    /// An instruction that can be kept.
    Instruct {
        /// What is instructed.
        flow: Flow,
        /// What is asked for.
        request: Request,
        /// What the node is told.
        order: Box<Order>,
        /// Where it stands first.
        standing: Box<Standing>,
        /// What is wrong if the same was instructed before.
        in_use: FieldError,
    },
    /// An operation that is to be cancelled.
    Cancel {
        /// Its id.
        id: String,
        /// What is wrong if it has ended meanwhile.
        ended: FieldError,
    },
}

impl Work {
    /// The messages to go on with: all, or the next ones where each counts by itself. None if it is no file of messages.
    #[must_use]
    pub fn messages(&self) -> Option<Vec<(i64, &Read)>> {
        let Ok(Rows::Messages(messages)) = &self.rows else { return None };
        let done = self.import.rows_done.saturating_add(self.import.rows_refused);
        let (before, count) = match self.import.class {
            Class::All => (0, messages.len()),
            Class::Rows => (usize::try_from(done).unwrap_or(usize::MAX), BATCH),
        };
        let number = |place: usize| i64::try_from(place).unwrap_or(i64::MAX).saturating_add(1);
        let numbered = messages.iter().enumerate().map(|(place, message)| (number(place), message));
        Some(numbered.skip(before).take(count).collect())
    }

    /// The client that brought the file, as it was then.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }
}

impl Store {
    /// Keeps what messages instruct: [IMP-2]. `height` is the node's. Whether the file is done.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn keep_messages(
        &self,
        work: &mut Work,
        messages: &[Numbered<Prepared>],
        height: u64,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let (client, institution) = (work.import.created_by.clone(), work.import.owner.clone());
        let change =
            Change { client: &client, institution: &institution, now, signed: None, reason: "" };
        let mut outcomes: Vec<Numbered<String>> = Vec::with_capacity(messages.len());
        for (number, prepared) in messages {
            let outcome = match prepared {
                Err(errors) => Err(errors.clone()),
                Ok(Prepared::Instruct { flow, request, order, standing, in_use }) => {
                    let id = Uuid::now_v7().simple().to_string();
                    let (what, first) = ((*flow, request, order.as_ref()), standing.as_ref());
                    match keep(&mut tx, &id, what, first.clone(), change, height).await? {
                        true => Ok(id),
                        false => Err(vec![in_use.clone()]),
                    }
                }
                Ok(Prepared::Cancel { id, ended }) => match want(&mut tx, id).await? {
                    true => Ok(id.clone()),
                    false => Err(vec![ended.clone()]),
                },
            };
            outcomes.push((*number, outcome));
        }
        let refused = outcomes.iter().filter(|(_, outcome)| outcome.is_err()).count();
        let refused = i64::try_from(refused).unwrap_or(i64::MAX);
        let done = i64::try_from(outcomes.len()).unwrap_or(i64::MAX).saturating_sub(refused);
        if work.import.class == Class::All && refused > 0 {
            // What was kept of the others goes, and what is wrong is said.
            tx.rollback().await?;
            tx = self.write().await?;
            outcomes.retain(|(_, outcome)| outcome.is_err());
        }
        for (number, outcome) in &outcomes {
            let made = outcome.as_ref().map(String::as_str).map_err(Vec::as_slice);
            work.say(&mut tx, *number, made).await?;
        }
        let ended = match work.import.class {
            Class::All if refused > 0 => Some((Outcome::Rows, (0, refused))),
            Class::All => Some((Outcome::Complete, (done, 0))),
            Class::Rows => {
                let done = work.import.rows_done.saturating_add(done);
                let refused = work.import.rows_refused.saturating_add(refused);
                let all = work.rows.as_ref().map_or(0, Rows::count);
                let all = i64::try_from(all).unwrap_or(i64::MAX);
                let last = done.saturating_add(refused) >= all;
                work.gone_on(&mut tx, (done, refused), last, now).await?
            }
        };
        if let Some((outcome, rows)) = ended {
            self.end(&mut tx, &work.import, outcome, rows, now).await?;
        }
        tx.commit().await?;
        Ok(ended.is_some())
    }

    /// The id of the investor with a pseudonym on the ledger.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn investor_of(&self, pseudonym: &str) -> Result<Option<String>, StoreError> {
        let text = "SELECT investor_id FROM ledger_investor WHERE pseudonym = $1";
        let row = sqlx::query(text).bind(pseudonym.to_owned()).fetch_optional(&self.pool).await?;
        Ok(row.map(|row| sqlx::Row::try_get(&row, "investor_id")).transpose()?)
    }
}
