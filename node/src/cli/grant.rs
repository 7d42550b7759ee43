//! `sudare grant`: who may give grants at a node, and the grants (specs/access.md).

use std::path::{Path, PathBuf};

use borsh::{BorshDeserialize, BorshSerialize};
use clap::{Args, Subcommand};
use rand_core::{OsRng, RngCore};
use serde::Serialize;
use sudare_crypto::encoding::{Version, decode, encode};
use sudare_crypto::{Bounded, Encoded, Hash, NodeId, NodeSignature};
use sudare_disclosure::Fields;
use sudare_disclosure::threshold::{Officer, OfficerKey};
use sudare_ledger::access::{
    Desk, Grant, GrantView, OFFICERS_MAX, Revocation, Scope, SignedDesk, SignedGrant,
};
use sudare_ledger::audit::Instruction;

use super::account::find_at;
use super::asset::{read, write_new};
use super::audit::fields;
use super::ceremony::{officer_card, officer_key};
use super::connect::Connection;
use super::trade::text;
use super::{Failure, NodeArgs, Output};
use crate::access;
use crate::clock::now_ms;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// `sudare grant`.
#[derive(Debug, Subcommand)]
#[command(after_long_help = "\
A grant, step by step:
  ceremony officer   each officer makes a key and a card
  desk, add          once, at the regulator's node: who may give grants, and how many must sign
  make               what is to be read, why, until when
  sign               each officer, on a machine of its own
  add                at the node: from now on `audit replay --grant` and `access opening` may use it")]
pub(super) enum GrantCommand {
    /// Write who may give grants at a node, and how many of them must sign; `add` sets it.
    Desk(DeskArgs),
    /// Write a grant: what may be read, what for, until when. Officers sign it next.
    Make(Box<MakeArgs>),
    /// Sign a grant, or a change of the desk, as an officer.
    Sign(SignArgs),
    /// Give a signed grant, an end of one, or a desk to the node, which records it in its access log.
    Add(FileArgs),
    /// Write an officer's end to a grant; `add` puts it in force.
    Revoke(SignArgs),
    /// List the node's grants.
    List(NodeArgs),
    /// Show a file of these commands.
    Show {
        /// The file.
        file: PathBuf,
    },
}

/// A desk.
#[derive(Debug, Args)]
pub(super) struct DeskArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// How many officers must sign a grant.
    #[arg(long)]
    needed: u8,
    /// The officers' cards, as `sudare ceremony officer` writes them.
    #[arg(long, num_args = 1.., required = true, value_name = "CARD")]
    officer: Vec<PathBuf>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What may be read; what is left out is not limited.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct ScopeArgs {
    /// What is read of a leg: amounts, parties, trade, links.
    #[arg(long, value_delimiter = ',')]
    fields: Vec<String>,
    /// Only legs that this account sends or receives in (64 hexadecimal digits); repeat for more.
    #[arg(long, value_name = "ACCOUNT")]
    account: Vec<String>,
    /// The first epoch.
    #[arg(long)]
    first_epoch: Option<u32>,
    /// The last epoch.
    #[arg(long)]
    last_epoch: Option<u32>,
    /// Legs notarised from this time on, ms since 1970 by the notary's clock.
    #[arg(long, value_name = "MS")]
    from_ms: Option<u64>,
    /// And before this one.
    #[arg(long, value_name = "MS")]
    until_ms: Option<u64>,
}

/// A grant.
#[derive(Debug, Args)]
pub(super) struct MakeArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The name of the asset's registrar.
    #[arg(long)]
    registrar: String,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    #[command(flatten)]
    scope: ScopeArgs,
    /// What for.
    #[arg(long)]
    purpose: String,
    /// The law or order that it rests on.
    #[arg(long)]
    legal_basis: String,
    /// The case number.
    #[arg(long)]
    case: String,
    /// For how many days it holds.
    #[arg(long, default_value_t = 30)]
    valid_days: u32,
    /// For how many ms it holds, instead of days.
    #[arg(long, value_name = "MS", conflicts_with = "valid_days")]
    valid_ms: Option<u64>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// A file and who signs it.
#[derive(Debug, Args)]
pub(super) struct SignArgs {
    /// The grant, or to sign also a desk.
    file: PathBuf,
    /// The officer's key.
    #[arg(long)]
    key: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// A file for a node.
#[derive(Debug, Args)]
pub(super) struct FileArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The file.
    file: PathBuf,
}

/// What a file of these commands holds.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub(super) enum GrantFile {
    /// Who may give grants.
    Desk(SignedDesk),
    /// A grant.
    Grant(SignedGrant),
    /// An end of one.
    Revocation(Revocation),
}

impl ScopeArgs {
    /// The limits given here, and otherwise those of `wide`.
    pub(super) fn within(&self, wide: &Scope) -> Result<Scope, Failure> {
        let named = if self.fields.is_empty() { wide.fields } else { fields(&self.fields)? };
        let mut accounts = Vec::new();
        for account in &self.account {
            let point = Hash::from_hex(account).and_then(|hash| Encoded::from_bytes(hash.0).ok());
            let no =
                || Failure::Usage(format!("{account} is not an account: 64 hexadecimal digits"));
            accounts.push(point.ok_or_else(no)?);
        }
        let accounts =
            if accounts.is_empty() { wide.accounts.clone() } else { accounts.try_into()? };
        Ok(Scope {
            asset: wide.asset,
            fields: named,
            accounts,
            first_epoch: self.first_epoch.unwrap_or(wide.first_epoch),
            last_epoch: self.last_epoch.unwrap_or(wide.last_epoch),
            from: self.from_ms.unwrap_or(wide.from),
            until: self.until_ms.unwrap_or(wide.until),
        })
    }

    /// Whether nothing is limited.
    pub(super) fn is_empty(&self) -> bool {
        let Self { fields, account, first_epoch, last_epoch, from_ms, until_ms } = self;
        let numbers = first_epoch.is_none() && last_epoch.is_none();
        fields.is_empty() && account.is_empty() && numbers && from_ms.or(*until_ms).is_none()
    }
}

pub(super) async fn run(command: GrantCommand, output: &Output) -> Result<(), Failure> {
    match command {
        GrantCommand::Desk(args) => make_desk(&args, output).await,
        GrantCommand::Make(args) => make(&args, output).await,
        GrantCommand::Sign(args) => sign(&args, output),
        GrantCommand::Add(args) => add(&args, output).await,
        GrantCommand::Revoke(args) => revoke(&args, output),
        GrantCommand::List(args) => {
            let grants = access::grants(&Connection::open(&args.config)?).await?;
            let now = now_ms();
            let lines: Vec<_> = grants.iter().map(|view| GrantLine::of(view, now)).collect();
            output.rows(&lines, HEADER, GrantLine::cells);
            Ok(())
        }
        GrantCommand::Show { file } => {
            show(&grant_file(&file)?, output);
            Ok(())
        }
    }
}

async fn make_desk(args: &DeskArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let before = access::desk(&connection).await?;
    let officers: Vec<Officer> =
        args.officer.iter().map(|card| officer_card(card)).collect::<Result<_, _>>()?;
    let desk = Desk {
        version: Version,
        network: connection.node.network,
        reader: connection.own(),
        number: before.as_ref().map_or(0, |before| before.number.saturating_add(1)),
        needed: args.needed,
        officers: officers.try_into()?,
    };
    let file = GrantFile::Desk(SignedDesk { desk, signatures: Bounded::default() });
    write_new(&args.out, &encode(&file))?;
    output.note(match before {
        None => "the node has no desk yet: `sudare grant add` sets it",
        Some(_) => "officers of the desk in force sign it with `sudare grant sign`, then `sudare grant add`",
    });
    show(&file, output);
    Ok(())
}

async fn make(args: &MakeArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let registrar = connection.member(&args.registrar)?.id;
    let terms = find_at(&connection, &registrar, &args.asset).await?.terms;
    let last_epoch = terms.policy.epochs.last().map_or(0, |epoch| epoch.number);
    let all = Scope {
        asset: terms.asset(),
        fields: Fields::ALL,
        accounts: Bounded::default(),
        first_epoch: 0,
        last_epoch,
        from: 0,
        until: u64::MAX,
    };
    let issued_at = now_ms();
    let valid = args.valid_ms.unwrap_or_else(|| u64::from(args.valid_days).saturating_mul(DAY_MS));
    let mut nonce = [0; 32];
    OsRng.fill_bytes(&mut nonce);
    let grant = Grant {
        version: Version,
        network: connection.node.network,
        reader: connection.own(),
        scope: args.scope.within(&all)?,
        purpose: text(&args.purpose, "a purpose")?,
        legal_basis: text(&args.legal_basis, "a legal basis")?,
        case: text(&args.case, "a case number")?,
        issued_at,
        expires_at: issued_at.saturating_add(valid),
        nonce,
    };
    let file = GrantFile::Grant(SignedGrant { grant, signatures: Bounded::default() });
    write_new(&args.out, &encode(&file))?;
    show(&file, output);
    Ok(())
}

fn sign(args: &SignArgs, output: &Output) -> Result<(), Failure> {
    let key = officer_key(&args.key)?;
    let file = match grant_file(&args.file)? {
        GrantFile::Desk(SignedDesk { desk, signatures }) => {
            let signatures = with(signatures, desk.sign(&key))?;
            GrantFile::Desk(SignedDesk { desk, signatures })
        }
        GrantFile::Grant(SignedGrant { grant, signatures }) => {
            let signatures = with(signatures, grant.sign(&key))?;
            GrantFile::Grant(SignedGrant { grant, signatures })
        }
        GrantFile::Revocation(_) => {
            return Err(Failure::Usage("one officer's end to a grant is enough".into()));
        }
    };
    write_new(&args.out, &encode(&file))?;
    show(&file, output);
    Ok(())
}

type Signatures = Bounded<(NodeId, NodeSignature), OFFICERS_MAX>;

fn with(before: Signatures, new: (NodeId, NodeSignature)) -> Result<Signatures, Failure> {
    let mut all = before.into_vec();
    all.retain(|(officer, _)| *officer != new.0);
    all.push(new);
    Ok(all.try_into()?)
}

fn revoke(args: &SignArgs, output: &Output) -> Result<(), Failure> {
    let key: OfficerKey = officer_key(&args.key)?;
    let GrantFile::Grant(signed) = grant_file(&args.file)? else {
        return Err(Failure::Usage(format!("{} is not a grant", args.file.display())));
    };
    let file = GrantFile::Revocation(Revocation::sign(signed.grant.id(), &key));
    write_new(&args.out, &encode(&file))?;
    show(&file, output);
    Ok(())
}

async fn add(args: &FileArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let instruction = match grant_file(&args.file)? {
        GrantFile::Desk(signed) => Instruction::SetDesk(Box::new(signed)),
        GrantFile::Grant(signed) => {
            // The node judges again; here the refusal says exactly what is missing.
            if let Some(desk) = access::desk(&connection).await? {
                desk.check(&signed)?;
            }
            Instruction::AddGrant(Box::new(signed))
        }
        GrantFile::Revocation(revocation) => Instruction::RevokeGrant(revocation),
    };
    let answer = connection.instruct(&instruction).await?;
    let text = match instruction {
        Instruction::SetDesk(_) => format!("desk {answer} is in force, and in the access log"),
        Instruction::RevokeGrant(_) => {
            format!("grant {answer} is revoked, and the access log says so")
        }
        _ => format!("grant {answer} is recorded in the access log"),
    };
    output.result(&answer, &text);
    Ok(())
}

pub(super) fn grant_file(path: &Path) -> Result<GrantFile, Failure> {
    decode(&read(path)?, "a grant").map_err(|_| {
        Failure::Usage(format!(
            "{} is not a file of `sudare grant`, or it was cut short: get it again from whoever made it",
            path.display()
        ))
    })
}

/// The desk in a file; who relies on it compares `grant show` with others.
pub(super) fn read_desk(path: &Path) -> Result<Desk, Failure> {
    match grant_file(path)? {
        GrantFile::Desk(signed) => Ok(signed.desk),
        _ => Err(Failure::Usage(format!("{} is not a desk", path.display()))),
    }
}

fn show(file: &GrantFile, output: &Output) {
    match file {
        GrantFile::Desk(signed) => {
            let view = DeskView::of(signed);
            output.result(&view, &view.text());
        }
        GrantFile::Grant(signed) => {
            let view = GrantView { signed: signed.clone(), revoked: false };
            let line = GrantLine::of(&view, now_ms());
            output.result(&line, &line.text());
        }
        GrantFile::Revocation(revocation) => {
            let (grant, officer) = (revocation.grant.to_string(), revocation.officer.to_string());
            let text = format!("officer {officer} ends grant {grant}");
            output.result(&RevocationView { grant, officer }, &text);
        }
    }
}

#[derive(Serialize)]
struct RevocationView {
    grant: String,
    officer: String,
}

#[derive(Serialize)]
struct DeskView {
    reader: String,
    number: u32,
    needed: u8,
    officers: Vec<(String, String)>,
    signed_by: Vec<String>,
}

impl DeskView {
    fn of(signed: &SignedDesk) -> Self {
        let desk = &signed.desk;
        let named = |officer: &Officer| (officer.name.to_string(), officer.id.to_string());
        Self {
            reader: desk.reader.to_string(),
            number: desk.number,
            needed: desk.needed,
            officers: desk.officers.iter().map(named).collect(),
            signed_by: signers(&signed.signatures),
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![format!(
            "desk {} of node {}: {} must sign",
            self.number, self.reader, self.needed
        )];
        lines.extend(self.officers.iter().map(|(name, id)| format!("officer {name} {id}")));
        lines.extend(self.signed_by.iter().map(|id| format!("signed by {id}")));
        lines.join("\n")
    }
}

/// A grant for people and programs.
#[derive(Debug, Serialize)]
struct GrantLine {
    id: String,
    state: &'static str,
    case: String,
    purpose: String,
    legal_basis: String,
    scope: ScopeView,
    issued_at_ms: u64,
    expires_at_ms: u64,
    signed_by: Vec<String>,
}

const HEADER: &[&str] = &["grant", "state", "case", "purpose", "legal basis", "scope", "signed by"];

impl GrantLine {
    fn of(view: &GrantView, now: u64) -> Self {
        let grant = &view.signed.grant;
        let state = match (view.revoked, grant.holds(now).is_ok()) {
            (true, _) => "revoked",
            (false, true) => "holds",
            (false, false) if now < grant.issued_at => "not yet",
            (false, false) => "expired",
        };
        Self {
            id: grant.id().to_string(),
            state,
            case: grant.case.to_string(),
            purpose: grant.purpose.to_string(),
            legal_basis: grant.legal_basis.to_string(),
            scope: ScopeView::of(&grant.scope),
            issued_at_ms: grant.issued_at,
            expires_at_ms: grant.expires_at,
            signed_by: signers(&view.signed.signatures),
        }
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.chars().take(16).collect(),
            self.state.to_owned(),
            self.case.clone(),
            self.purpose.clone(),
            self.legal_basis.clone(),
            self.scope.text(),
            format!("{} officer(s)", self.signed_by.len()),
        ]
    }

    fn text(&self) -> String {
        format!(
            "grant {}: {}\ncase {}: {}\nlegal basis: {}\nscope: {}\nfrom {} until {} ms since 1970\nsigned by {}",
            self.id,
            self.state,
            self.case,
            self.purpose,
            self.legal_basis,
            self.scope.text(),
            self.issued_at_ms,
            self.expires_at_ms,
            if self.signed_by.is_empty() {
                "nobody yet".to_owned()
            } else {
                self.signed_by.join(", ")
            }
        )
    }
}

/// A scope for people and programs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ScopeView {
    asset: String,
    fields: String,
    accounts: Vec<String>,
    first_epoch: u32,
    last_epoch: u32,
    from_ms: u64,
    until_ms: u64,
}

impl ScopeView {
    pub(super) fn of(scope: &Scope) -> Self {
        Self {
            asset: scope.asset.to_string(),
            fields: scope.fields.to_string(),
            accounts: scope.accounts.iter().map(|one| format!("{one:?}")).collect(),
            first_epoch: scope.first_epoch,
            last_epoch: scope.last_epoch,
            from_ms: scope.from,
            until_ms: scope.until,
        }
    }

    pub(super) fn text(&self) -> String {
        let accounts = match self.accounts.len() {
            0 => "all accounts".to_owned(),
            count => format!("{count} account(s)"),
        };
        let until = if self.until_ms == u64::MAX {
            "no end".to_owned()
        } else {
            format!("{} ms", self.until_ms)
        };
        format!(
            "{} of asset {}, {accounts}, epochs {} to {}, notarised from {} ms until {until}",
            self.fields, self.asset, self.first_epoch, self.last_epoch, self.from_ms
        )
    }
}

fn signers(signatures: &[(NodeId, NodeSignature)]) -> Vec<String> {
    signatures.iter().map(|(officer, _)| officer.to_string()).collect()
}
