//! Instructions that come as messages in files.

use sudare_crypto::NodeId;
use sudare_disclosure::SignedTerms;

use super::Api;
use super::instructions::{dated, in_use, order, taking};
use super::problem::Problem;
use crate::access::Reach;
use crate::flows::{Cancelling, Flow, Incoming, Node, Outgoing, Request, reach};
use crate::imports::Read;
use crate::masters::FieldError;
use crate::store::{Prepared, Store, StoreError, Work};

/// Why a file is not gone on with now.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node, of which it must be known what it takes.
    #[error("the node gives no answer")]
    Node,
}

impl Api {
    /// Goes on with a file; whether it is done.
    pub(super) async fn go_on(&self, work: &mut Work) -> Result<bool, ImportError> {
        let Some(messages) = work.messages() else {
            return Ok(self.store().go_on(work, self.now()).await?);
        };
        let node = taking(self, Flow::Transfer).map_err(|_| ImportError::Node)?;
        let assets = node.assets().await.map_err(|_| ImportError::Node)?;
        let desk = Desk { api: self, node, assets: &assets, work };
        let mut prepared = Vec::with_capacity(messages.len());
        for (number, message) in messages {
            prepared.push((number, desk.prepared(message).await?));
        }
        let height = *node.heights().borrow();
        let done = self.store().keep_messages(work, &prepared, height, self.now()).await?;
        self.0.work.notify_one();
        self.happened().await?;
        Ok(done)
    }
}

/// Why what has ended isn't cancelled.
const ENDED: &str = "must be that of an instruction that has not ended: read what became of it";

/// Where messages of a file are looked at.
struct Desk<'a> {
    api: &'a Api,
    node: &'a dyn Node,
    assets: &'a [SignedTerms],
    work: &'a Work,
}

impl Desk<'_> {
    /// What a message instructs, as if its client had asked for it by itself; or what is wrong with it.
    async fn prepared(
        &self,
        message: &Read,
    ) -> Result<Result<Prepared, Vec<FieldError>>, ImportError> {
        let read = message.as_ref().map_err(Clone::clone);
        if let Ok(parsed) = &read
            && let Some(request) = Cancelling::of(parsed)
        {
            return self.cancelled(request, &parsed.unread).await;
        }
        let house = &self.api.0.house;
        let incoming = read.and_then(|read| Incoming::of(read, self.node, self.assets, house));
        let mut incoming = match incoming {
            Ok(incoming) => incoming,
            Err(errors) => return Ok(Err(errors)),
        };
        self.by_id(&mut incoming).await?;
        let located = |errors: Vec<FieldError>| {
            errors.into_iter().map(|wrong| incoming.located(wrong)).collect()
        };
        match self.instructed(&incoming).await {
            Ok(prepared) => Ok(Ok(prepared)),
            Err(Problem::Invalid(errors)) => Ok(Err(located(errors))),
            Err(Problem::GateClosed(why)) => {
                Ok(Err(vec![FieldError { pointer: String::new(), detail: why.to_owned() }]))
            }
            Err(_) => Err(ImportError::Node),
        }
    }

    async fn instructed(&self, incoming: &Incoming) -> Result<Prepared, Problem> {
        let flow = incoming.flow;
        let whose = reach(self.work.client(), flow, &self.api.0.house);
        if whose == Reach::Nothing {
            return Err(Problem::GateClosed("the client doesn't instruct this"));
        }
        let request = Request::parse(flow, &incoming.body).map_err(Problem::Invalid)?;
        let order = order(self.api, (self.node, self.assets), flow, &request, &whose).await?;
        let (order, standing) = dated(self.api, flow, order).await?;
        let in_use = incoming.located(in_use(flow));
        let (order, standing) = (Box::new(order), Box::new(standing));
        Ok(Prepared::Instruct { flow, request, order, standing, in_use })
    }

    /// What a request to cancel is of: the one instruction of the client's institution with its reference that has not ended.
    async fn cancelled(
        &self,
        request: Cancelling<'_>,
        unread: &[String],
    ) -> Result<Result<Prepared, Vec<FieldError>>, ImportError> {
        let no = |must: &str| Ok(Err(vec![Cancelling::not_so(must)]));
        let (client, house) = (self.work.client(), &self.api.0.house);
        if reach(client, Flow::Transfer, house) == Reach::Nothing {
            return no("the client doesn't cancel this");
        }
        let called =
            self.api.store().operations_called(&client.institution, request.reference(), 2);
        let called = called.await?;
        let mut open = called.iter().filter(|one| !one.newest.standing.state.is_ended());
        let operation = match (open.next(), open.next()) {
            (Some(operation), None) => operation,
            (Some(_), Some(_)) => {
                return no("must be of one instruction: of several, cancel each by its id");
            }
            (None, _) if called.is_empty() => {
                return no("must be that of an instruction that was given before");
            }
            (None, _) => return no(ENDED),
        };
        let name_of = |id: &NodeId| self.node.name_of(id);
        let trade = Outgoing::of_operation(operation, house, self.assets, name_of);
        let trade = trade.ok_or(ImportError::Node)?;
        let investor = operation.request.get("investor_id").and_then(|id| id.as_str());
        let errors = request.differs(unread, &trade, investor.unwrap_or_default());
        if !errors.is_empty() {
            return Ok(Err(errors));
        }
        let (id, ended) = (operation.id.clone(), Cancelling::not_so(ENDED));
        Ok(Ok(Prepared::Cancel { id, ended }))
    }

    /// Names the investor by id, if a message names it by its pseudonym.
    async fn by_id(&self, incoming: &mut Incoming) -> Result<(), StoreError> {
        let store: &Store = self.api.store();
        let named = incoming.body.get("investor_id").and_then(|name| name.as_str());
        let found = match named {
            Some(pseudonym) => store.investor_of(pseudonym).await?,
            None => None,
        };
        if let (Some(id), Some(members)) = (found, incoming.body.as_object_mut()) {
            members.insert("investor_id".to_owned(), id.into());
        }
        Ok(())
    }
}
