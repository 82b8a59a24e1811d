# lib.makeOverridable: what the function returns can be had again with other arguments, by `.override`, and with other
# attributes of its derivation, by `.overrideAttrs`. The function itself still tells which arguments it takes.
function:
let
  optionalAttrs = import ./optional-attrs.nix;
  changed = change: old: old // (if builtins.isFunction change then change old else change);

  overridable = make: arguments:
    let
      result = make arguments;
    in
    if !builtins.isAttrs result then result
    else result // {
      override = change: overridable make (changed change arguments);
    } // optionalAttrs (result ? overrideAttrs) {
      overrideAttrs = change: overridable (given: (make given).overrideAttrs change) arguments;
    };
in
{
  __functor = _: overridable function;
  __functionArgs = function.__functionArgs or (builtins.functionArgs function);
}
