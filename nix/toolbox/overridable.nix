# lib.makeOverridable: what the function returns can be had again with other arguments, by `.override`, and with other
# attributes of its derivation, by `.overrideAttrs` and `.overrideDerivation`. The function itself still says which
# arguments it takes.
function:
let
  changed = change: old: old // (if builtins.isFunction change then change old else change);

  overridable = make: arguments:
    let
      result = make arguments;
      # `.overrideAttrs` and the like of the result, which then can still be overridden in all other ways.
      kept = name: if result ? ${name} then [{
        inherit name;
        value = change: overridable (given: (make given).${name} change) arguments;
      }] else [ ];
    in
    if !builtins.isAttrs result then result
    else result // { override = change: overridable make (changed change arguments); }
      // builtins.listToAttrs (kept "overrideAttrs" ++ kept "overrideDerivation");
in
{
  __functor = _: overridable function;
  __functionArgs = function.__functionArgs or (builtins.functionArgs function);
}
