# Wrong arguments fail at evaluation, with the argument's name and what it takes.
{
  oneOf = function: argument: known: value:
    builtins.elem value known || throw
      "${function}: ${argument} is ${builtins.toJSON value}; it takes one of ${builtins.concatStringsSep ", " (map builtins.toJSON known)}";

  absent = function: argument: isAbsent: remedy:
    isAbsent || throw "${function}: ${argument} is not supported yet; ${remedy}";

  notBoth = function: one: oneValue: other: otherValue:
    oneValue == null || otherValue == null || throw "${function}: ${one} and ${other} mean the same; give one of them";
}
