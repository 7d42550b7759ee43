//! Administration of users by two people: made, changed, given new codes.

use serde_json::{Value, json};
use sqlx::{Any, Transaction};

use super::{FIELDS, STATUS, UsersConfig, code, code_hash, values_of};
use crate::access::Role;
use crate::approvals::{Deed, Done, Performing, Prepared, Proposal};
use crate::masters::{Field, FieldError, Form, Values, validate_fields};
use crate::store::{Change, StoreError, users};

/// [USR-3]: a user is made without a password: he activates himself with two codes, one that his maker was told and one that the
/// approver was told, so neither of them alone can be him.
#[derive(Debug)]
pub struct CreateUser {
    /// Which users there may be.
    pub users: UsersConfig,
}

/// Replaces what a user is, with his status; ends his sessions.
#[derive(Debug)]
pub struct UpdateUser {
    /// Which users there may be.
    pub users: UsersConfig,
}

/// Takes a user's password, and gives him new codes.
#[derive(Debug)]
pub struct ResetUser;

const ADMINISTRATORS: &[Role] = &[Role::Administrator];
const USER_ID: Field = Field::needs("user_id", Form::Id, "the user");
const UPDATE: &[Field] = &[STATUS, USER_ID];
const RESET: &[Field] = &[USER_ID];
const NO_USER: Done = Done::Impossible("there is no such user");

impl Deed for CreateUser {
    fn name(&self) -> &'static str {
        "create-user"
    }

    fn about(&self) -> &'static str {
        "makes a user"
    }

    fn roles(&self) -> &'static [Role] {
        ADMINISTRATORS
    }

    fn of_the_house(&self) -> bool {
        false
    }

    fn fields(&self) -> &'static [Field] {
        FIELDS
    }

    fn prepare(&self, request: &Value, change: Change<'_>) -> Result<Prepared, Vec<FieldError>> {
        let values = values_of(request, &[])?;
        check_role(&self.users, &values, change.institution)?;
        with_code(json!(values))
    }

    fn perform<'a>(
        &'a self,
        tx: &'a mut Transaction<'static, Any>,
        proposal: &'a Proposal,
        change: Change<'a>,
    ) -> Performing<'a> {
        Box::pin(async move {
            let values = kept(FIELDS, &proposal.request);
            let codes = codes(proposal)?;
            match users::insert(tx, &values, (&codes.0, &codes.1), change).await? {
                Some(id) => told(json!({ "user_id": id }), codes.2),
                None => Ok(Done::Impossible("another user has this login")),
            }
        })
    }
}

impl Deed for UpdateUser {
    fn name(&self) -> &'static str {
        "update-user"
    }

    fn about(&self) -> &'static str {
        "changes a user, suspends or closes him, ends his sessions"
    }

    fn roles(&self) -> &'static [Role] {
        ADMINISTRATORS
    }

    fn of_the_house(&self) -> bool {
        false
    }

    fn fields(&self) -> &'static [Field] {
        UPDATE
    }

    fn schema(&self) -> Value {
        let fields: Vec<Field> = FIELDS.iter().chain(UPDATE).copied().collect();
        crate::http::schema_of(&fields)
    }

    fn prepare(&self, request: &Value, change: Change<'_>) -> Result<Prepared, Vec<FieldError>> {
        let values = values_of(request, UPDATE)?;
        check_role(&self.users, &values, change.institution)?;
        Ok(Prepared { request: json!(values), code: None })
    }

    fn perform<'a>(
        &'a self,
        tx: &'a mut Transaction<'static, Any>,
        proposal: &'a Proposal,
        change: Change<'a>,
    ) -> Performing<'a> {
        Box::pin(async move {
            let values = kept(FIELDS, &proposal.request);
            let (id, status) =
                (member(&proposal.request, "user_id"), member(&proposal.request, "status"));
            match users::replace(tx, id, &values, status, change).await? {
                users::Replaced::Version(version) => {
                    Ok(Done::with(json!({ "user_id": id, "version": version })))
                }
                users::Replaced::Absent => Ok(NO_USER),
                users::Replaced::Taken => Ok(Done::Impossible("another user has this login")),
            }
        })
    }
}

impl Deed for ResetUser {
    fn name(&self) -> &'static str {
        "reset-user"
    }

    fn about(&self) -> &'static str {
        "unlocks a user, takes his password and gives him new codes"
    }

    fn roles(&self) -> &'static [Role] {
        ADMINISTRATORS
    }

    fn of_the_house(&self) -> bool {
        false
    }

    fn fields(&self) -> &'static [Field] {
        RESET
    }

    fn prepare(&self, request: &Value, _: Change<'_>) -> Result<Prepared, Vec<FieldError>> {
        with_code(json!(validate_fields(self.fields().iter(), request)?))
    }

    fn perform<'a>(
        &'a self,
        tx: &'a mut Transaction<'static, Any>,
        proposal: &'a Proposal,
        change: Change<'a>,
    ) -> Performing<'a> {
        Box::pin(async move {
            let id = member(&proposal.request, "user_id");
            let codes = codes(proposal)?;
            match users::reset(tx, id, (&codes.0, &codes.1), change).await? {
                Some(version) => told(json!({ "user_id": id, "version": version }), codes.2),
                None => Ok(NO_USER),
            }
        })
    }
}

/// Users of an institution have no role that the configuration doesn't give it.
fn check_role(
    users: &UsersConfig,
    values: &Values,
    institution: &str,
) -> Result<(), Vec<FieldError>> {
    let may = users.of(institution).is_some_and(|of| {
        of.roles.iter().any(|role| Some(&role.to_string()) == values.get("role"))
    });
    let error = || FieldError::new("role", "must be one that users of the institution may have");
    if may { Ok(()) } else { Err(vec![error()]) }
}

/// What is kept of a proposal has the hash of the proposer's code, which he is told.
fn with_code(mut request: Value) -> Result<Prepared, Vec<FieldError>> {
    let code = code().ok_or_else(|| vec![FieldError::new("", "no randomness: try again")])?;
    if let Value::Object(members) = &mut request {
        members.insert("code_hash".into(), code_hash(&code).into());
    }
    Ok(Prepared { request, code: Some(code) })
}

/// The hashes of both codes, and the one to tell.
fn codes(proposal: &Proposal) -> Result<(String, String, String), StoreError> {
    let code = code().ok_or(StoreError::Damaged("random numbers"))?;
    Ok((member(&proposal.request, "code_hash").to_owned(), code_hash(&code), code))
}

fn told(result: Value, code: String) -> Result<Done, StoreError> {
    Ok(Done::Done { result, code: Some(code) })
}

/// The fields of a request that was checked when it was proposed.
fn kept(fields: &'static [Field], request: &Value) -> Values {
    let value = |field: &Field| {
        let text = request.get(field.name)?.as_str()?;
        Some((field.name, text.to_owned()))
    };
    fields.iter().filter_map(value).collect()
}

fn member<'a>(request: &'a Value, name: &str) -> &'a str {
    request.get(name).and_then(Value::as_str).unwrap_or_default()
}
