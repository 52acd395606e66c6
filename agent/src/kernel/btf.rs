//! Where a field lies in a struct of the running kernel, read from its BTF.

use btf_rs::{Btf, Struct, Type};

/// The running kernel's type information.
pub(super) struct KernelTypes {
    btf: Btf,
}

/// A field found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Bytes from the start of the outermost struct.
    pub(super) offset: u32,
    /// Bytes, where the type has a plain size.
    pub(super) size: Option<u32>,
}

/// Typedefs and qualifiers in front of a type, at most; deeper is a loop.
const CHAIN: usize = 32;

impl KernelTypes {
    /// Reads BTF from `path`, usually `/sys/kernel/btf/vmlinux`.
    pub(super) fn read(path: &str) -> Result<Self, btf_rs::Error> {
        Ok(Self {
            btf: Btf::from_file(path)?,
        })
    }

    /// Finds `struct.member.member…`; members of anonymous structs and unions count as their
    /// parent's, as in C. `None` when this kernel has no such field, or when it is a bit field.
    pub(super) fn field(&self, path: &str) -> Option<Field> {
        let mut names = path.split('.');
        let mut record = self.record_named(names.next()?)?;
        let mut offset = 0;
        let mut last = None;
        for name in names {
            if let Some(inner) = last.take() {
                record = self.as_record(inner)?;
            }
            let (bits, ty) = self.member(&record, name, 0)?;
            if bits % 8 != 0 {
                return None;
            }
            offset += bits / 8;
            last = Some(ty);
        }
        Some(Field {
            offset,
            size: last.and_then(|ty| self.size(ty)),
        })
    }

    /// How many arguments a BTF tracepoint passes to its probes; `None` when there is no such
    /// tracepoint.
    pub(super) fn tracepoint_arguments(&self, name: &str) -> Option<usize> {
        let types = self
            .btf
            .resolve_types_by_name(&format!("btf_trace_{name}"))
            .ok()?;
        let typedef = types.into_iter().find(|t| matches!(t, Type::Typedef(_)))?;
        let pointer = self.target(&typedef)?;
        match self.target(&pointer)? {
            // The first is the tracepoint's own data pointer.
            Type::FuncProto(proto) => proto.parameters.len().checked_sub(1),
            _ => None,
        }
    }

    /// How many arguments a kernel function takes; `None` when there is no such function.
    pub(super) fn function_arguments(&self, name: &str) -> Option<usize> {
        let types = self.btf.resolve_types_by_name(name).ok()?;
        let function = types.into_iter().find(|t| matches!(t, Type::Func(_)))?;
        match self.target(&function)? {
            Type::FuncProto(proto) => Some(proto.parameters.len()),
            _ => None,
        }
    }

    /// Whether an enum has this member.
    pub(super) fn has_enumerator(&self, name: &str, member: &str) -> bool {
        let types = self.btf.resolve_types_by_name(name).unwrap_or_default();
        types.into_iter().any(|t| match t {
            Type::Enum(e) => e
                .members
                .iter()
                .any(|m| self.btf.resolve_name(m).is_ok_and(|n| n == member)),
            _ => false,
        })
    }

    fn record_named(&self, name: &str) -> Option<Struct> {
        self.btf
            .resolve_types_by_name(name)
            .ok()?
            .into_iter()
            .find_map(|t| match t {
                Type::Struct(s) => Some(s),
                _ => None,
            })
    }

    fn target(&self, ty: &Type) -> Option<Type> {
        self.btf.resolve_chained_type(ty.as_btf_type()?).ok()
    }

    /// Looks through typedefs and qualifiers.
    fn plain(&self, mut ty: Type) -> Option<Type> {
        for _ in 0..CHAIN {
            ty = match ty {
                Type::Typedef(_)
                | Type::Const(_)
                | Type::Volatile(_)
                | Type::Restrict(_)
                | Type::TypeTag(_) => self.target(&ty)?,
                other => return Some(other),
            };
        }
        None
    }

    fn as_record(&self, ty: Type) -> Option<Struct> {
        match self.plain(ty)? {
            Type::Struct(s) | Type::Union(s) => Some(s),
            _ => None,
        }
    }

    fn member(&self, record: &Struct, name: &str, depth: usize) -> Option<(u32, Type)> {
        if depth > CHAIN {
            return None;
        }
        for member in &record.members {
            let found = self.btf.resolve_name(member).unwrap_or_default();
            let ty = self.btf.resolve_chained_type(member).ok()?;
            if found == name {
                return (member.bitfield_size().unwrap_or(0) == 0)
                    .then_some((member.bit_offset(), ty));
            }
            if found.is_empty()
                && let Some(inner) = self.as_record(ty)
                && let Some((bits, ty)) = self.member(&inner, name, depth + 1)
            {
                return Some((member.bit_offset() + bits, ty));
            }
        }
        None
    }

    fn size(&self, ty: Type) -> Option<u32> {
        const POINTER: u32 = 8;
        Some(match self.plain(ty)? {
            Type::Int(t) => u32::try_from(t.size()).ok()?,
            Type::Enum(t) => u32::try_from(t.size()).ok()?,
            Type::Ptr(_) => POINTER,
            _ => return None,
        })
    }
}
