//! Who calls and what they may do. The extractor is the permission: a handler names the scope that it needs by the type
//! of its caller argument.

use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::{header, request::Parts};
use sensorium_domain::TenantId;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::{ApiError, Code};
use crate::http::visit::Visit;
use crate::startup::App;

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose things they see.
    pub tenant: TenantId,
    /// What they may do.
    pub scopes: Vec<Scope>,
    /// Who they are: a token's `sub` or a key's id.
    pub subject: String,
}

impl Caller {
    /// Refuses whoever does not administer the first tenant, whose administrators operate the server.
    pub fn must_operate(&self, app: &App) -> Result<(), ApiError> {
        if self.tenant == app.config.auth.first_tenant {
            return Ok(());
        }
        let detail = "this concerns all tenants: it is for administrators of the first one (auth.first_tenant)";
        Err(ApiError::new(Code::Forbidden, detail))
    }
}

/// A permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Search and read.
    Read,
    /// Add, change and delete.
    Write,
    /// Use the generative models.
    Caption,
    /// Everything in the tenant, keys included.
    Admin,
}

impl Scope {
    /// The name in tokens and keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Caption => "caption",
            Self::Admin => "admin",
        }
    }

    /// Whether what it permits, other than by GET, belongs into the audit log.
    const fn changes_things(self) -> bool {
        matches!(self, Self::Write | Self::Admin)
    }

    /// Reads a name; unknown ones are `None` and grant nothing.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Read, Self::Write, Self::Caption, Self::Admin].into_iter().find(|scope| scope.as_str() == text)
    }
}

/// The scope that an extractor demands.
pub trait Demand: Send {
    /// That scope.
    const SCOPE: Scope;
}

macro_rules! demands {
    ($($(#[$doc:meta])* $name:ident, $marker:ident, $scope:ident;)*) => {
        $(
            #[doc(hidden)]
            pub struct $marker;
            impl Demand for $marker {
                const SCOPE: Scope = Scope::$scope;
            }
            $(#[$doc])*
            pub type $name = Allowed<$marker>;
        )*
    };
}

demands! {
    /// A caller who may search and read.
    Read, DemandRead, Read;
    /// A caller who may add, change and delete.
    Write, DemandWrite, Write;
    /// A caller who may use the generative models.
    Caption, DemandCaption, Caption;
    /// A caller who administers the tenant.
    Admin, DemandAdmin, Admin;
}

/// A caller with the demanded scope (`admin` includes the others).
pub struct Allowed<D: Demand>(Caller, PhantomData<fn() -> D>);

impl<D: Demand> Deref for Allowed<D> {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<D: Demand> FromRequestParts<App> for Allowed<D> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(credentials) = header.and_then(bearer) else {
            return Err(ApiError::new(
                Code::Unauthorized,
                "send a token or an API key as \"Authorization: Bearer ...\"; the first key is in the data folder's file `key`",
            ));
        };
        let caller = app.auth.authenticate(credentials, app.clock.now()).await?;
        let visit = parts.extensions.get::<Visit>().cloned().unwrap_or_default();
        visit.is_by(&caller);
        if let Some(standing) = app.allowances.count_request(&caller.tenant) {
            visit.stands(standing);
            if let Some(wait_ms) = standing.refused_for_ms {
                let detail = format!("the tenant may send {} requests a minute", standing.rate.per_minute);
                return Err(ApiError::new(Code::RateLimited, detail).retry_after(wait_ms));
            }
        }
        if caller.scopes.contains(&D::SCOPE) || caller.scopes.contains(&Scope::Admin) {
            if D::SCOPE.changes_things() {
                visit.changes_by(&caller);
            }
            return Ok(Self(caller, PhantomData));
        }
        Err(ApiError::new(Code::Forbidden, format!("this needs the scope \"{}\"", D::SCOPE.as_str())))
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, credentials) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credentials.trim()).filter(|text| !text.is_empty())
}
